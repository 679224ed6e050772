import type { Sql } from '@holdfast/event-store';
import { HELD_CURRENT, UnknownRootKeyVersion } from '@holdfast/root-keys';
import type { SessionSecrets, AccessKeySecrets } from '../../application/ports.ts';
import { ACCESS_KEY_SECRETS, type IdentityKeys, type SecretsKeys } from './secrets-keys.ts';

/** Bytes that make a secret of 40 characters, and a session token of 344. */
const SECRET_BYTES = 30;
const TOKEN_BYTES = 258;

/** Secrets of long-lived access keys, each wrapped by the root key in a row of its own that is deleted with the key. */
export class StoredAccessKeySecrets implements AccessKeySecrets {
  constructor(
    private readonly sql: Sql,
    private readonly keys: Pick<IdentityKeys, 'rootKeys'>,
  ) {}

  store(accessKeyId: string, secret: Buffer): Promise<void> {
    return this.keys.rootKeys.storing(ACCESS_KEY_SECRETS, [accessKeyId], secret, async (versionId, wrapped) => {
      const stored = await this.sql.query(
        `WITH ${HELD_CURRENT}
         INSERT INTO access_key_secrets (access_key_id, secrets_key_id, wrapped) SELECT $2, version_id, $3 FROM held
         RETURNING true`,
        [versionId, accessKeyId, wrapped],
      );
      return stored.length > 0;
    });
  }

  async discard(accessKeyId: string): Promise<void> {
    await this.sql.query('DELETE FROM access_key_secrets WHERE access_key_id = $1', [accessKeyId]);
  }

  /** Since the row was read it may have been wrapped anew, and the version it was under retired. */
  async open(accessKeyId: string, wrapped: Buffer): Promise<Buffer> {
    const { rootKeys } = this.keys;
    try {
      return await rootKeys.unwrap(ACCESS_KEY_SECRETS, [accessKeyId], wrapped);
    } catch (error) {
      if (!(error instanceof UnknownRootKeyVersion)) throw error;
      const [row] = await this.sql.query<{ wrapped: Buffer }>(
        'SELECT wrapped FROM access_key_secrets WHERE access_key_id = $1',
        [accessKeyId],
      );
      if (row === undefined || row.wrapped.equals(wrapped)) throw error;
      return rootKeys.unwrap(ACCESS_KEY_SECRETS, [accessKeyId], row.wrapped);
    }
  }
}

/** Secret and token of temporary credentials follow from their access key id: only who has the key can make them. */
export class DerivedSessionSecrets implements SessionSecrets {
  constructor(private readonly keys: SecretsKeys) {}

  get currentKeyId(): string {
    return this.keys.current.keyId;
  }

  of(accessKeyId: string, secretsKeyId: string): { secretAccessKey: string; sessionToken: string } {
    const key = this.keys.find(secretsKeyId);
    if (key === undefined) throw new Error(`session ${accessKeyId} is under a key that is gone, ${secretsKeyId}`);
    return {
      secretAccessKey: key.derive(`session-secret/${accessKeyId}`, SECRET_BYTES).toString('base64'),
      sessionToken: key.derive(`session-token/${accessKeyId}`, TOKEN_BYTES).toString('base64'),
    };
  }
}
