import type { Region, RequestContext, SnapshotId, SnapshotRecord, VolumeId, WrappedDataKey } from '@holdfast/contracts';
import { column, type Filter, filterConditions, type SqlFilter, SqlParameters } from '@holdfast/ec2';
import type { Sql } from '@holdfast/event-store';
import type { SnapshotDetails, SnapshotQuery, SnapshotTable } from '../../application/ports.ts';

/** @see DescribeSnapshots, "Filters". Nothing here belongs to Amazon or is archived. */
const FILTERS: Readonly<Record<string, SqlFilter>> = {
  description: column('s.description'),
  encrypted: column('s.encrypted::text'),
  'owner-alias': column('NULL::text'),
  'owner-id': column('s.owner_id'),
  progress: column(`(s.progress::text || '%')`),
  'snapshot-id': column('s.snapshot_id'),
  'start-time': column('s.start_time'),
  status: column('s.state'),
  'storage-tier': column(`'standard'`),
  'transfer-type': column(`CASE WHEN s.is_copy THEN 'standard' END`),
  'volume-id': column('s.volume_id'),
  'volume-size': column('s.volume_size_gib::text'),
};

/** @see DescribeTags, "Filters". `tag:<key>` looks at the tag itself, not at the resource's others. */
const TAG_FILTERS: Readonly<Record<string, SqlFilter>> = {
  key: column('tag.key'),
  'resource-id': column('s.snapshot_id'),
  'resource-type': column(`'snapshot'`),
  value: column('tag.value'),
};

interface SnapshotRow {
  snapshot_id: string;
  owner_id: string;
  region: string;
  position: string;
  volume_id: string;
  is_copy: boolean;
  state: SnapshotDetails['state'];
  state_message: string | null;
  volume_size_gib: number;
  description: string;
  encrypted: boolean;
  key_arn: string | null;
  data_key: WrappedDataKey | null;
  start_time: string;
  completion_time: string | null;
  progress: number;
  tags: Record<string, string>;
}

const details = (row: SnapshotRow): SnapshotDetails => ({
  snapshotId: row.snapshot_id as SnapshotId,
  ownerId: row.owner_id,
  volumeId: row.volume_id,
  isCopy: row.is_copy,
  state: row.state,
  stateMessage: row.state_message,
  volumeSizeGiB: row.volume_size_gib,
  description: row.description,
  encrypted: row.encrypted,
  keyArn: row.key_arn,
  dataKeyId: row.data_key?.dataKeyId ?? null,
  startTime: row.start_time,
  completionTime: row.completion_time,
  progress: row.progress,
  tags: row.tags,
});

const ownedBy = ({ accountId, region }: RequestContext, parameters: SqlParameters): string[] => [
  `s.owner_id = ${parameters.add(accountId)}`,
  `s.region = ${parameters.add(region)}`,
];

export class PostgresSnapshotTable implements SnapshotTable {
  constructor(private readonly sql: Sql) {}

  async describe({ filters, snapshotIds, after, limit }: SnapshotQuery, context: RequestContext) {
    const parameters = new SqlParameters();
    const conditions = ownedBy(context, parameters);
    const filtered = filterConditions(filters, FILTERS, 's.tags', parameters);
    if (snapshotIds.length > 0) return this.describeIds(snapshotIds, conditions, filtered, parameters);
    if (after !== undefined) conditions.push(`s.position > ${parameters.add(after)}::bigint`);
    const where = [...conditions, ...filtered].join(' AND ');
    const rows = await this.sql.query<SnapshotRow>(
      `SELECT s.* FROM snapshots s WHERE ${where} ORDER BY s.position LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
    return { rows: rows.map((row) => ({ snapshot: details(row), position: row.position })), missing: [] };
  }

  /** Whether a snapshot exists is asked before the filters. */
  private async describeIds(ids: readonly string[], own: string[], filtered: string[], parameters: SqlParameters) {
    const asked = `s.snapshot_id = ANY(${parameters.add([...new Set(ids)])}::text[])`;
    const rows = await this.sql.query<SnapshotRow & { matches: boolean }>(
      `SELECT s.*, (${['TRUE', ...filtered].join(' AND ')}) AS matches FROM snapshots s
       WHERE ${[...own, asked].join(' AND ')} ORDER BY s.position`,
      parameters.values,
    );
    const found = new Set(rows.map((row) => row.snapshot_id));
    return {
      rows: rows.filter((row) => row.matches).map((row) => ({ snapshot: details(row), position: row.position })),
      missing: ids.filter((snapshotId) => !found.has(snapshotId)),
    };
  }

  async tags(filters: readonly Filter[] | undefined, context: RequestContext) {
    const parameters = new SqlParameters();
    const conditions = ownedBy(context, parameters);
    const tag = 'jsonb_build_object(tag.key, tag.value)';
    conditions.push(...filterConditions(filters, TAG_FILTERS, tag, parameters));
    return this.sql.query<{ snapshotId: string; key: string; value: string }>(
      `SELECT s.snapshot_id AS "snapshotId", tag.key, tag.value FROM snapshots s, jsonb_each_text(s.tags) AS tag
       WHERE ${conditions.join(' AND ')} ORDER BY s.position, tag.key`,
      parameters.values,
    );
  }

  async record(snapshotId: SnapshotId, region: Region, { accountId }: RequestContext): Promise<SnapshotRecord | null> {
    const [row] = await this.sql.query<SnapshotRow>(
      'SELECT * FROM snapshots WHERE snapshot_id = $1 AND owner_id = $2 AND region = $3',
      [snapshotId, accountId, region],
    );
    if (row === undefined) return null;
    const { state, volume_size_gib: volumeSizeGiB, data_key: dataKey } = row;
    return { snapshotId, ownerId: accountId, state, volumeSizeGiB, dataKey };
  }

  async ofVolume(volumeId: VolumeId, { accountId }: RequestContext) {
    const [row] = await this.sql.query<{ pending: number; latest: string | null }>(
      `SELECT (count(*) FILTER (WHERE state = 'pending'))::integer AS pending, max(start_time) AS latest
       FROM snapshots WHERE volume_id = $1 AND owner_id = $2`,
      [volumeId, accountId],
    );
    return row ?? { pending: 0, latest: null };
  }

  async isBeingCopied(snapshotId: SnapshotId): Promise<boolean> {
    const rows = await this.sql.query(`SELECT true FROM snapshots WHERE source_id = $1 AND state = 'pending' LIMIT 1`, [
      snapshotId,
    ]);
    return rows.length > 0;
  }

  async pendingCopies({ accountId, region }: RequestContext): Promise<number> {
    const [row] = await this.sql.query<{ pending: number }>(
      `SELECT count(*)::integer AS pending FROM snapshots
       WHERE owner_id = $1 AND region = $2 AND is_copy AND state = 'pending'`,
      [accountId, region],
    );
    return row?.pending ?? 0;
  }
}
