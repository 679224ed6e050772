import { hkdfSync } from 'node:crypto';
import type { Database } from '@holdfast/event-store/postgres';
import {
  InvalidWrapping,
  type RootKeyProvider,
  RootKeys,
  ServiceSecrets,
  type WrappedStore,
} from '@holdfast/root-keys';
import { SecretBox } from './secret-box.ts';

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

/** @param secrets the newest first. @param earlier finds what is no secret of the service's own, if anything is left of it. */
export const secretsKeysOf = (
  secrets: readonly Buffer[],
  earlier: (keyId: string) => SecretsKey | undefined = () => undefined,
): SecretsKeys => {
  const [current, ...others] = secrets.map(secretsKey);
  if (current === undefined) throw new RangeError('identity has no secret');
  return { current, find: (keyId) => [current, ...others].find((key) => key.keyId === keyId) ?? earlier(keyId) };
};

export interface IdentityKeys {
  readonly rootKeys: RootKeys;
  /** Secrets of access keys. */
  readonly store: WrappedStore;
  readonly secretsKeys: SecretsKeys;
}

/**
 * What identity encrypted before its root key had versions was under a key derived from the root key's own bytes: secrets of
 * access keys, which are wrapped anew, and sessions, which end.
 */
const earlierKeys = (provider: RootKeyProvider) => {
  const versions = new Map<string, string>();
  return {
    learn: (versionIds: readonly string[]) => {
      for (const versionId of versionIds) {
        const material = provider.materialOf?.(versionId);
        if (material !== undefined) versions.set(secretsKey(material).keyId, versionId);
      }
    },
    find: (keyId: string): SecretsKey | undefined => {
      const material = provider.materialOf?.(versions.get(keyId) ?? '');
      return material && secretsKey(material);
    },
  };
};

/** @throws RootKeyError naming what is wrong. */
export const openIdentityKeys = async (provider: RootKeyProvider, database: Database): Promise<IdentityKeys> => {
  const earlier = earlierKeys(provider);
  let secrets: ServiceSecrets | undefined;
  const store: WrappedStore = {
    table: 'access_key_secrets',
    key: ['access_key_id'],
    versionColumn: 'secrets_key_id',
    earlier: {
      versionId: "encode(substring(wrapped FROM 2 FOR 8), 'hex')",
      unwrap: (wrapped, [accessKeyId = '']) => {
        const secret = new SecretBox({ find: earlier.find }, 'access-key').open(wrapped, accessKeyId);
        if (secret === null) throw new InvalidWrapping();
        return secret;
      },
    },
  };
  const rootKeys = await RootKeys.open(
    {
      ...{ provider, database, service: 'identity', stores: [store] },
      earlierId: (material) => secretsKey(material).keyId,
      dependents: [
        {
          name: 'sessions',
          count: (sql) =>
            sql.query(
              `SELECT secrets_key_id AS "versionId", count(*)::integer AS blobs FROM sessions
               WHERE expires_at > now() GROUP BY secrets_key_id`,
            ),
        },
      ],
    },
    async (opened, sql) => {
      earlier.learn((await provider.versions()).map(({ versionId }) => versionId));
      secrets = await ServiceSecrets.open(opened, sql, [PURPOSE]);
    },
  );
  return { rootKeys, store, secretsKeys: secretsKeysOf(secrets?.deriveAll(PURPOSE) ?? [], earlier.find) };
};
