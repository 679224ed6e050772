import { randomFillSync } from 'node:crypto';
import type { Sql } from '@holdfast/event-store';
import type { RootKeys } from './root-keys.ts';
import { SERVICE_SECRETS } from './wrapped-store.ts';

const SECRET_BYTES = 32;

/**
 * Secrets that a service needs for itself, 32 random bytes for each purpose: what signs its tokens, what others seal to. They
 * are wrapped by the root key like all else, so that they stay the same when it is rotated, and work with a key that never
 * leaves its token.
 */
export class ServiceSecrets {
  /** Newest first. */
  private constructor(private readonly secrets: ReadonlyMap<string, readonly Buffer[]>) {}

  /** Reads the secrets, and makes those that are not there; in the transaction that opens the root key. */
  static async open(rootKeys: RootKeys, sql: Sql, purposes: readonly string[]): Promise<ServiceSecrets> {
    const secrets = new Map<string, Buffer[]>();
    for (const purpose of purposes) {
      let stored = await readSecrets(rootKeys, sql, purpose);
      if (stored.length === 0) {
        const secret = randomFillSync(Buffer.alloc(SECRET_BYTES));
        await insert(rootKeys, sql, purpose, 1, secret);
        stored = [secret];
      }
      secrets.set(purpose, stored);
    }
    return new ServiceSecrets(secrets);
  }

  /** The newest secret of a purpose: a copy, the caller's to zero. */
  derive(purpose: string): Buffer {
    const [newest] = this.deriveAll(purpose);
    if (newest === undefined) throw new RangeError(`there is no secret for ${purpose}`);
    return newest;
  }

  /** All of a purpose, the newest first: what an earlier one signed is still known. */
  deriveAll(purpose: string): Buffer[] {
    return (this.secrets.get(purpose) ?? []).map((secret) => Buffer.from(secret));
  }
}

const readSecrets = async (rootKeys: RootKeys, sql: Sql, purpose: string): Promise<Buffer[]> => {
  const rows = await sql.query<{ ordinal: number; wrapped: Buffer }>(
    'SELECT ordinal, wrapped FROM service_secrets WHERE purpose = $1 ORDER BY ordinal DESC',
    [purpose],
  );
  const secrets: Buffer[] = [];
  for (const { ordinal, wrapped } of rows) {
    secrets.push(await rootKeys.unwrap(SERVICE_SECRETS, [purpose, String(ordinal)], wrapped));
  }
  return secrets;
};

const insert = async (rootKeys: RootKeys, sql: Sql, purpose: string, ordinal: number, secret: Buffer) => {
  const { versionId, wrapped } = await rootKeys.wrap(SERVICE_SECRETS, [purpose, String(ordinal)], secret);
  await sql.query('INSERT INTO service_secrets (purpose, ordinal, root_key_id, wrapped) VALUES ($1, $2, $3, $4)', [
    ...[purpose, ordinal, versionId, wrapped],
  ]);
};
