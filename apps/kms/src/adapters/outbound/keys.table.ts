import { type AccountId, instant, type Instant, type Region } from '@holdfast/contracts';
import type { Sql } from '@holdfast/event-store';
import type { KeyDirectory, KeyName, KeyRecord, KeyVersion } from '../../application/ports.ts';
import type { KeySpec, KeyUsage } from '../../domain/key-specs.ts';
import type { KeyState } from '../../domain/key-state.ts';
import type { KeyManager, KeyOrigin, PrincipalIds, RotationType, Tag } from '../../domain/key.events.ts';
import { keyArnOf, type Place } from '../../domain/names.ts';
import { SharedLookups } from './shared-lookups.ts';

interface KeyRow {
  key_id: string;
  account_id: AccountId;
  region: Region;
  key_manager: KeyManager;
  key_spec: KeySpec;
  key_usage: KeyUsage;
  origin: KeyOrigin;
  description: string;
  state: KeyState;
  created_at: Date;
  deletion_at: Date | null;
  pending_window_days: number | null;
  material_id: string | null;
  valid_to: Date | null;
  public_key: Buffer | null;
  multi_region: boolean;
  primary_region: Region;
  rotation_period_days: number | null;
  next_rotation_at: Date | null;
  policy: string | null;
  principal_ids: PrincipalIds;
  tags: Tag[];
  position: string;
}

const COLUMNS = `k.key_id, k.account_id, k.region, k.key_manager, k.key_spec, k.key_usage, k.origin, k.description, k.state,
  k.created_at, k.deletion_at, k.pending_window_days, k.material_id, k.valid_to, k.public_key, k.multi_region,
  k.primary_region, k.rotation_period_days, k.next_rotation_at, k.policy, k.principal_ids, k.tags, k.position`;

const rotationOf = ({ rotation_period_days: periodInDays, next_rotation_at: next }: KeyRow): KeyRecord['rotation'] =>
  periodInDays === null || next === null ? null : { periodInDays, nextDate: instant(next) };

const keyRecord = (row: KeyRow): KeyRecord => {
  const place = { accountId: row.account_id, region: row.region };
  return {
    ...place,
    keyId: row.key_id,
    arn: keyArnOf(place, row.key_id),
    keyManager: row.key_manager,
    keySpec: row.key_spec,
    keyUsage: row.key_usage,
    origin: row.origin,
    description: row.description,
    state: row.state,
    createdAt: instant(row.created_at),
    deletionDate: row.deletion_at && instant(row.deletion_at),
    pendingWindowInDays: row.pending_window_days,
    materialId: row.material_id,
    validTo: row.valid_to && instant(row.valid_to),
    publicKey: row.public_key,
    multiRegion: row.multi_region,
    primaryRegion: row.primary_region,
    rotation: rotationOf(row),
    policy: row.policy,
    principalIds: row.principal_ids,
    tags: row.tags,
    position: Number(row.position),
  };
};

interface VersionRow {
  material_id: string;
  position: string;
  rotated_at: Date | null;
  rotation_type: RotationType | null;
  description: string | null;
  is_imported: boolean;
  valid_to: Date | null;
}

const VERSIONS = `
  SELECT v.material_id, v.position, v.rotated_at, v.rotation_type, v.description, i.key_id IS NOT NULL AS is_imported,
    i.valid_to
  FROM key_versions v
  LEFT JOIN imported_materials i ON i.key_id = v.key_id AND i.material_id = v.material_id AND i.region = $2
  WHERE v.key_id = $1 AND v.position > $3 AND ($5 = false OR v.rotated_at IS NOT NULL)
  ORDER BY v.position LIMIT $4`;

const lookupName = (keyId: string, region: Region): string => `${keyId} ${region}`; // Neither has a space.

export class KeysTable implements KeyDirectory {
  /** Every use of a key reads it, and many are used at once. */
  private readonly lookups = new SharedLookups((names) => this.findAll(names));

  constructor(private readonly sql: Sql) {}

  find(keyId: string, region: Region): Promise<KeyRecord | null> {
    return this.lookups.find(lookupName(keyId, region));
  }

  private async findAll(names: readonly string[]): Promise<ReadonlyMap<string, KeyRecord>> {
    const [keyIds, regions] = [names.map((name) => name.split(' ')[0]), names.map((name) => name.split(' ')[1])];
    const condition = 'JOIN unnest($1::text[], $2::text[]) AS asked (key_id, region) USING (key_id, region)';
    const keys = await this.query(condition, [keyIds, regions]);
    return new Map(keys.map((key) => [lookupName(key.keyId, key.region), key]));
  }

  async findByAlias({ accountId, region }: Place, aliasName: string): Promise<KeyRecord | null> {
    const [row] = await this.sql.query<KeyRow>(
      `SELECT ${COLUMNS} FROM aliases a JOIN kms_keys k ON k.key_id = a.target_key_id AND k.region = a.region
       WHERE a.account_id = $1 AND a.region = $2 AND a.alias_name = $3`,
      [accountId, region, aliasName],
    );
    return row === undefined ? null : keyRecord(row);
  }

  list({ accountId, region }: Place, afterPosition: number, limit: number): Promise<KeyRecord[]> {
    return this.query('WHERE k.account_id = $1 AND k.region = $2 AND k.position > $3 ORDER BY k.position LIMIT $4', [
      accountId,
      region,
      afterPosition,
      limit,
    ]);
  }

  async hasAtLeast({ accountId, region }: Place, count: number): Promise<boolean> {
    const rows = await this.sql.query(
      `SELECT FROM kms_keys WHERE account_id = $1 AND region = $2 AND key_manager = 'CUSTOMER' OFFSET $3 LIMIT 1`,
      [accountId, region, count - 1],
    );
    return rows.length > 0;
  }

  async regionsOf(keyId: string): Promise<Region[]> {
    const rows = await this.sql.query<{ region: Region }>(
      'SELECT region FROM kms_keys WHERE key_id = $1 ORDER BY region',
      [keyId],
    );
    return rows.map(({ region }) => region);
  }

  async versionsOf(
    { keyId, region }: KeyName,
    afterPosition: number,
    limit: number,
    rotationsOnly: boolean,
  ): Promise<KeyVersion[]> {
    const rows = await this.sql.query<VersionRow>(VERSIONS, [keyId, region, afterPosition, limit, rotationsOnly]);
    return rows.map((row) => ({
      materialId: row.material_id,
      position: Number(row.position),
      rotatedAt: row.rotated_at && instant(row.rotated_at),
      rotationType: row.rotation_type,
      description: row.description,
      isImported: row.is_imported,
      validTo: row.valid_to && instant(row.valid_to),
    }));
  }

  dueForDeletion(at: Instant, limit: number): Promise<KeyRecord[]> {
    return this.query(`WHERE k.state = 'PendingDeletion' AND k.deletion_at <= $1 ORDER BY k.deletion_at LIMIT $2`, [
      at,
      limit,
    ]);
  }

  dueForRotation(at: Instant, limit: number): Promise<KeyRecord[]> {
    return this.query(
      `WHERE k.next_rotation_at <= $1 AND k.region = k.primary_region AND k.state = 'Enabled'
       ORDER BY k.next_rotation_at LIMIT $2`,
      [at, limit],
    );
  }

  dueForExpiry(at: Instant, limit: number): Promise<KeyRecord[]> {
    return this.query(
      `JOIN imported_materials i ON i.key_id = k.key_id AND i.region = k.region WHERE i.valid_to <= $1
       ORDER BY i.valid_to LIMIT $2`,
      [at, limit],
    );
  }

  private async query(condition: string, values: readonly unknown[]): Promise<KeyRecord[]> {
    return (await this.sql.query<KeyRow>(`SELECT ${COLUMNS} FROM kms_keys k ${condition}`, values)).map(keyRecord);
  }
}
