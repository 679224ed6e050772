import type { Sql } from '@holdfast/event-store';
import type { SessionSecrets, AccessKeySecrets } from '../../application/ports.ts';
import { SecretBox } from './secret-box.ts';
import type { SecretsKeys } from './secrets-keys.ts';

/** Bytes that make a secret of 40 characters, and a session token of 344. */
const SECRET_BYTES = 30;
const TOKEN_BYTES = 258;

/** Secrets of long-lived access keys, each encrypted in a row of its own that is deleted with the key. */
export class StoredAccessKeySecrets implements AccessKeySecrets {
  private readonly box: SecretBox;

  constructor(
    private readonly sql: Sql,
    keys: SecretsKeys,
  ) {
    this.box = new SecretBox(keys, 'access-key');
    this.keyId = keys.current.keyId;
  }

  private readonly keyId: string;

  async store(accessKeyId: string, secret: Buffer): Promise<void> {
    await this.sql.query(
      'INSERT INTO access_key_secrets (access_key_id, secrets_key_id, wrapped) VALUES ($1, $2, $3)',
      [accessKeyId, this.keyId, this.box.seal(secret, accessKeyId)],
    );
  }

  async discard(accessKeyId: string): Promise<void> {
    await this.sql.query('DELETE FROM access_key_secrets WHERE access_key_id = $1', [accessKeyId]);
  }

  open(accessKeyId: string, wrapped: Buffer): Buffer {
    const secret = this.box.open(wrapped, accessKeyId);
    if (secret === null) throw new Error(`the secret of access key ${accessKeyId} cannot be decrypted`);
    return secret;
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

/** Ids of the keys that anything stored needs: without one of them identity must not start. */
export const secretsKeysInUse = async (sql: Sql): Promise<string[]> => {
  const rows = await sql.query<{ secrets_key_id: string }>(
    `SELECT DISTINCT secrets_key_id FROM access_key_secrets
     UNION SELECT DISTINCT secrets_key_id FROM sessions WHERE expires_at > now()`,
  );
  return rows.map(({ secrets_key_id: id }) => id);
};
