import { type AccountId, accountId, type Principal } from '@holdfast/contracts';

/** A long-term credential and whom it stands for. */
export interface AccessKey {
  accessKeyId: string;
  secretAccessKey: string;
  principal: Principal;
}

/** Who an access key id belongs to; null: nobody. */
export interface AccessKeys {
  find(accessKeyId: string): AccessKey | null;
  /** Whether the deployment has the account. */
  hasAccount(accountId: string): boolean;
}

export const rootPrincipal = (account: AccountId): Principal => ({
  type: 'Root',
  arn: `arn:aws:iam::${account}:root`,
  accountId: account,
  principalId: account,
});

const DEVELOPMENT_SECRET = 'test';

/** Development mode: every 12-digit number is an account whose root user has that number as access key, secret `test`. */
export const developmentAccessKeys: AccessKeys = {
  find: (accessKeyId) =>
    /^\d{12}$/.test(accessKeyId)
      ? { accessKeyId, secretAccessKey: DEVELOPMENT_SECRET, principal: rootPrincipal(accountId(accessKeyId)) }
      : null,
  hasAccount: (id) => /^\d{12}$/.test(id),
};

/** Production: the root users that the deployment names, and nobody else. */
export const rootUserAccessKeys = (keys: readonly AccessKey[]): AccessKeys => {
  const byId = new Map(keys.map((key) => [key.accessKeyId, key]));
  const accounts = new Set<string>(keys.map(({ principal }) => principal.accountId));
  return { find: (accessKeyId) => byId.get(accessKeyId) ?? null, hasAccount: (id) => accounts.has(id) };
};
