import { hkdfSync } from 'node:crypto';
import type { Database } from '@holdfast/event-store/postgres';
import { type RootKeyProvider, RootKeys, ServiceSecrets, type WrappedStore } from '@holdfast/root-keys';

const KEY_BYTES = 32;
const NONE = Buffer.alloc(0);
const PURPOSE = 'secrets';

/** What identity makes for itself is encrypted by, or derived from, one of these. */
export interface SecretsKey {
  /** Derived from the key, so a wrong key is told from the right one. 16 hexadecimal digits. */
  readonly keyId: string;
  /** 32 bytes for one purpose. */
  derive(purpose: string, lengthBytes?: number): Buffer;
}

/** The current one encrypts; the others still decrypt what they encrypted. */
export interface SecretsKeys {
  readonly current: SecretsKey;
  find(keyId: string): SecretsKey | undefined;
}

const secretsKey = (material: Buffer): SecretsKey => {
  const derive = (purpose: string, lengthBytes = KEY_BYTES) =>
    Buffer.from(hkdfSync('sha256', material, NONE, `holdfast/identity/${purpose}`, lengthBytes));
  return { keyId: derive('key-id', 8).toString('hex'), derive };
};

/** @param secrets the newest first. */
export const secretsKeysOf = (secrets: readonly Buffer[]): SecretsKeys => {
  const keys = secrets.map(secretsKey);
  const [current] = keys;
  if (current === undefined) throw new RangeError('identity has no secret');
  return { current, find: (keyId) => keys.find((key) => key.keyId === keyId) };
};

/** Secrets of access keys. */
export const ACCESS_KEY_SECRETS: WrappedStore = {
  table: 'access_key_secrets',
  key: ['access_key_id'],
  versionColumn: 'secrets_key_id',
};

export interface IdentityKeys {
  readonly rootKeys: RootKeys;
  readonly secretsKeys: SecretsKeys;
}

/** @throws RootKeyError naming what is wrong. */
export const openIdentityKeys = async (provider: RootKeyProvider, database: Database): Promise<IdentityKeys> => {
  let secrets: ServiceSecrets | undefined;
  const options = { provider, database, service: 'identity', stores: [ACCESS_KEY_SECRETS] };
  const rootKeys = await RootKeys.open(options, async (opened, sql) => {
    secrets = await ServiceSecrets.open(opened, sql, [PURPOSE]);
  });
  return { rootKeys, secretsKeys: secretsKeysOf(secrets?.deriveAll(PURPOSE) ?? []) };
};
