import { type AccountId, instant, type Instant, type Region } from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import type { KeyDirectory, KeyRecord } from '../../application/ports.ts';
import type { KeyState } from '../../domain/key-state.ts';
import type { KeyManager, Tag } from '../../domain/key.events.ts';
import { keyArnOf, type Place } from '../../domain/names.ts';

interface KeyRow {
  key_id: string;
  account_id: AccountId;
  region: Region;
  key_manager: KeyManager;
  description: string;
  state: KeyState;
  created_at: Date;
  deletion_at: Date | null;
  material_id: string;
  tags: Tag[];
  position: string;
}

const COLUMNS = `k.key_id, k.account_id, k.region, k.key_manager, k.description, k.state, k.created_at, k.deletion_at,
  k.material_id, k.tags, k.position`;

const keyRecord = (row: KeyRow): KeyRecord => {
  const place = { accountId: row.account_id, region: row.region };
  return {
    ...place,
    keyId: row.key_id,
    arn: keyArnOf(place, row.key_id),
    keyManager: row.key_manager,
    description: row.description,
    state: row.state,
    createdAt: instant(row.created_at),
    deletionDate: row.deletion_at && instant(row.deletion_at),
    materialId: row.material_id,
    tags: row.tags,
    position: Number(row.position),
  };
};

export class KeysTable implements KeyDirectory {
  constructor(private readonly sql: Sql) {}

  async find(keyId: string): Promise<KeyRecord | null> {
    return this.first(`SELECT ${COLUMNS} FROM kms_keys k WHERE k.key_id = $1`, [keyId]);
  }

  async findByAlias({ accountId, region }: Place, aliasName: string): Promise<KeyRecord | null> {
    return this.first(
      `SELECT ${COLUMNS} FROM aliases a JOIN kms_keys k ON k.key_id = a.target_key_id
       WHERE a.account_id = $1 AND a.region = $2 AND a.alias_name = $3`,
      [accountId, region, aliasName],
    );
  }

  async list({ accountId, region }: Place, afterPosition: number, limit: number): Promise<KeyRecord[]> {
    const rows = await this.sql.query<KeyRow>(
      `SELECT ${COLUMNS} FROM kms_keys k WHERE k.account_id = $1 AND k.region = $2 AND k.position > $3
       ORDER BY k.position LIMIT $4`,
      [accountId, region, afterPosition, limit],
    );
    return rows.map(keyRecord);
  }

  async due(at: Instant, limit: number): Promise<KeyRecord[]> {
    const rows = await this.sql.query<KeyRow>(
      `SELECT ${COLUMNS} FROM kms_keys k WHERE k.state = 'PendingDeletion' AND k.deletion_at <= $1
       ORDER BY k.deletion_at LIMIT $2`,
      [at, limit],
    );
    return rows.map(keyRecord);
  }

  private async first(text: string, values: readonly unknown[]): Promise<KeyRecord | null> {
    const [row] = await this.sql.query<KeyRow>(text, values);
    return row === undefined ? null : keyRecord(row);
  }
}
