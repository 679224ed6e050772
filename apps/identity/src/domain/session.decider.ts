import type { AccountId, Instant, Principal } from '@holdfast/contracts';
import type { Decider } from '@holdfast/decider';
import type { Tags } from './iam.events.ts';

/**
 * Temporary credentials were issued; stream `session-<accessKeyId>`, this event only. Secret and token are derived from
 * `accessKeyId` by the secrets key `secretsKeyId`, so neither is kept anywhere.
 */
export interface SessionIssued {
  readonly type: 'SessionIssued';
  readonly accountId: AccountId;
  readonly accessKeyId: string;
  readonly principal: Principal;
  /** `AIDA…` or `AROA…`, without which the session ends; null: the root user. */
  readonly identityId: string | null;
  readonly secretsKeyId: string;
  /** Null: the session may all that its identity may. */
  readonly sessionPolicies: { readonly document: string | null; readonly arns: readonly string[] } | null;
  /** Keys of session tags that sessions made from this one keep. */
  readonly transitiveTagKeys: readonly string[];
  readonly expiresAt: Instant;
  readonly at: Instant;
}

export type IssueSession = Omit<SessionIssued, 'type'>;

const issued = (command: IssueSession): SessionIssued => {
  const { accountId, accessKeyId, principal, identityId, secretsKeyId, sessionPolicies } = command;
  const { transitiveTagKeys, expiresAt, at } = command;
  return {
    ...{ type: 'SessionIssued', accountId, accessKeyId, principal, identityId, secretsKeyId, sessionPolicies },
    ...{ transitiveTagKeys, expiresAt, at },
  };
};

/** Tags of a session: the request's over those that the caller's session hands on, which may not be changed. */
export const sessionTags = (inherited: Tags, requested: Tags): Tags => ({ ...requested, ...inherited });

export const sessionDecider: Decider<IssueSession, SessionIssued, boolean> = {
  initialState: false,
  evolve: () => true,
  decide: (command, isIssued) => (isIssued ? [] : [issued(command)]),
};
