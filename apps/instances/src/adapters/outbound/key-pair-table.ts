import type { Sql } from '@holdfast/event-store';
import type { KeyPairRow, KeyPairTable } from '../../application/key-pair-ports.ts';

const COLUMNS = `key_pair_id AS "keyPairId", name, key_type AS "keyType", fingerprint, public_key AS "publicKey",
  create_time AS "createTime", tags`;

interface Scope {
  accountId: string;
  region: string;
}

export class PostgresKeyPairTable implements KeyPairTable {
  constructor(private readonly sql: Sql) {}

  all({ accountId, region }: Scope): Promise<KeyPairRow[]> {
    const text = `SELECT ${COLUMNS} FROM key_pairs WHERE account_id = $1 AND region = $2 ORDER BY name`;
    return this.sql.query<KeyPairRow>(text, [accountId, region]);
  }

  async named(name: string, { accountId, region }: Scope): Promise<KeyPairRow | null> {
    const text = `SELECT ${COLUMNS} FROM key_pairs WHERE account_id = $1 AND region = $2 AND name = $3`;
    const [row] = await this.sql.query<KeyPairRow>(text, [accountId, region, name]);
    return row ?? null;
  }
}
