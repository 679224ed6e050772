import type {
  AccountId,
  Region,
  RequestContext,
  SnapshotId,
  SnapshotRecord,
  VolumeId,
  WrappedDataKey,
} from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID, column, type Filter, filterConditions, type SqlFilter, SqlParameters } from '@holdfast/ec2';
import type { Sql } from '@holdfast/event-store';
import { isInStandardTier, type Tier } from '../../domain/snapshot-tier.ts';
import type { RestorableBy, SnapshotDetails, SnapshotQuery, SnapshotTable, Viewer } from '../../application/ports.ts';

/** The tier that a snapshot's blocks are in. */
const STORAGE_TIER = `CASE WHEN s.tier ->> 'stage' IN ('archived', 'restoring') THEN 'archive' ELSE 'standard' END`;

/** @see DescribeSnapshots, "Filters" */
export const SNAPSHOT_FILTERS: Readonly<Record<string, SqlFilter>> = {
  description: column('s.description'),
  encrypted: column('s.encrypted::text'),
  'owner-alias': column(`CASE WHEN s.owner_id = '${AMAZON_ACCOUNT_ID}' THEN 'amazon' END`),
  'owner-id': column('s.owner_id'),
  progress: column(`(s.progress::text || '%')`),
  'snapshot-id': column('s.snapshot_id'),
  'start-time': column('s.start_time'),
  status: column('s.state'),
  'storage-tier': column(`(${STORAGE_TIER})`),
  'transfer-type': column(`CASE WHEN s.is_copy THEN 'standard' END`),
  'volume-id': column('s.volume_id'),
  'volume-size': column('s.volume_size_gib::text'),
};

/** @see DescribeTags, "Filters". `tag:<key>` looks at the tag itself, not at the resource's others. */
export const TAG_FILTERS: Readonly<Record<string, SqlFilter>> = {
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
  tier: Tier | null;
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
  storageTier: row.tier?.stage === 'archived' || row.tier?.stage === 'restoring' ? 'archive' : 'standard',
  restoreExpiryTime: row.tier?.stage === 'restored' ? row.tier.restoreExpiresAt : null,
});

/** What AWS adds to the tags of what is in the Recycle Bin. */
const IN_BIN = `'{"aws:recycle-bin:resource-in-bin": "true"}'::jsonb`;

/**
 * The table as a viewer sees it, under the alias `s`, with `binToo` also their own in the Recycle Bin; `tags` is the expression of
 * the tags that they see.
 */
const view = ({ accountId, region, hiding }: Viewer, parameters: SqlParameters, binToo = false) => {
  const viewer = parameters.add(accountId);
  return {
    tables: `snapshots s LEFT JOIN snapshot_viewer_tags v ON v.snapshot_id = s.snapshot_id AND v.account_id = ${viewer}`,
    tags: `CASE WHEN s.owner_id = ${viewer} THEN s.tags ELSE coalesce(v.tags, '{}') END`,
    conditions: [
      `s.region = ${parameters.add(region)}`,
      binToo ? `(s.recycled_at IS NULL OR s.owner_id = ${viewer})` : 's.recycled_at IS NULL',
      `(s.owner_id = ${viewer} OR s.shared_with @> ARRAY[${viewer}::text]
        OR (s.is_public AND s.owner_id <> ALL(${parameters.add(hiding)}::text[])))`,
    ],
  };
};

/** @see DescribeSnapshots, "RestorableByUserIds": `self` leaves out what is only public, an account is asked for by the owner. */
const restorable = (by: readonly RestorableBy[], accountId: string, parameters: SqlParameters): string => {
  const own = () => `s.owner_id = ${parameters.add(accountId)}`;
  const sharedWith = (account: string) => `s.shared_with @> ARRAY[${parameters.add(account)}::text]`;
  const alternatives = by.map((who) => {
    if (who === 'all') return 's.is_public';
    if (who === 'self' || who === accountId) return `(${own()} OR ${sharedWith(accountId)})`;
    return `(${own()} AND ${sharedWith(who)})`;
  });
  return `(${alternatives.join(' OR ')})`;
};

export class PostgresSnapshotTable implements SnapshotTable {
  constructor(private readonly sql: Sql) {}

  async describe({ filters, snapshotIds, ownerIds, restorableBy, after, limit }: SnapshotQuery, viewer: Viewer) {
    const parameters = new SqlParameters();
    const { tables, tags, conditions } = view(viewer, parameters);
    const filtered = filterConditions(filters, SNAPSHOT_FILTERS, `(${tags})`, parameters);
    if (ownerIds !== undefined) filtered.push(`s.owner_id = ANY(${parameters.add(ownerIds)}::text[])`);
    if (restorableBy !== undefined) filtered.push(restorable(restorableBy, viewer.accountId, parameters));
    const select = `SELECT s.*, ${tags} AS tags`;
    if (snapshotIds.length > 0) {
      // Whether a snapshot exists is asked before the filters.
      const asked = `s.snapshot_id = ANY(${parameters.add([...new Set(snapshotIds)])}::text[])`;
      const rows = await this.sql.query<SnapshotRow & { matches: boolean }>(
        `${select}, (${['TRUE', ...filtered].join(' AND ')}) AS matches FROM ${tables}
         WHERE ${[...conditions, asked].join(' AND ')} ORDER BY s.position`,
        parameters.values,
      );
      const found = new Set(rows.map((row) => row.snapshot_id));
      return {
        rows: rows.filter((row) => row.matches).map((row) => ({ snapshot: details(row), position: row.position })),
        missing: snapshotIds.filter((snapshotId) => !found.has(snapshotId)),
      };
    }
    if (after !== undefined) conditions.push(`s.position > ${parameters.add(after)}::bigint`);
    const rows = await this.sql.query<SnapshotRow>(
      `${select} FROM ${tables} WHERE ${[...conditions, ...filtered].join(' AND ')}
       ORDER BY s.position LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
    return { rows: rows.map((row) => ({ snapshot: details(row), position: row.position })), missing: [] };
  }

  /** The owner sees the tags of what is in the Recycle Bin, too. */
  async tags(filters: readonly Filter[] | undefined, viewer: Viewer) {
    const parameters = new SqlParameters();
    const { tables, tags: theirs, conditions } = view(viewer, parameters, true);
    const tags = `CASE WHEN s.recycled_at IS NULL THEN (${theirs}) ELSE (${theirs}) || ${IN_BIN} END`;
    const tag = 'jsonb_build_object(tag.key, tag.value)';
    conditions.push(...filterConditions(filters, TAG_FILTERS, tag, parameters));
    return this.sql.query<{ snapshotId: string; key: string; value: string }>(
      `SELECT s.snapshot_id AS "snapshotId", tag.key, tag.value
       FROM ${tables} CROSS JOIN LATERAL jsonb_each_text(${tags}) AS tag
       WHERE ${conditions.join(' AND ')} ORDER BY s.position, tag.key`,
      parameters.values,
    );
  }

  async record(snapshotId: SnapshotId, viewer: Viewer): Promise<SnapshotRecord | null> {
    const parameters = new SqlParameters();
    const { tables, conditions } = view(viewer, parameters);
    conditions.push(`s.snapshot_id = ${parameters.add(snapshotId)}`);
    const [row] = await this.sql.query<SnapshotRow>(
      `SELECT s.* FROM ${tables} WHERE ${conditions.join(' AND ')}`,
      parameters.values,
    );
    if (row === undefined) return null;
    const { owner_id: owner, state, volume_size_gib: volumeSizeGiB, data_key: dataKey } = row;
    const archived = row.tier !== null && !isInStandardTier(row.tier) ? { archived: true } : {};
    const record = { snapshotId, ownerId: owner as AccountId, state, volumeSizeGiB, dataKey, ...archived };
    return owner === AMAZON_ACCOUNT_ID ? { ...record, empty: true } : record;
  }

  async publicOwners({ accountId, region }: RequestContext): Promise<AccountId[]> {
    const rows = await this.sql.query<{ owner: AccountId }>(
      'SELECT DISTINCT owner_id AS owner FROM snapshots WHERE is_public AND recycled_at IS NULL AND region = $1 AND owner_id <> ALL($2::text[])',
      [region, [accountId, AMAZON_ACCOUNT_ID]],
    );
    return rows.map(({ owner }) => owner);
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

  async count({ accountId, region }: RequestContext, limit: number): Promise<number> {
    const [row] = await this.sql.query<{ count: number }>(
      `SELECT count(*)::integer AS count
       FROM (SELECT 1 FROM snapshots WHERE owner_id = $1 AND region = $2 LIMIT $3) AS counted`,
      [accountId, region, limit],
    );
    return row?.count ?? 0;
  }

  async latestCopy(volumeId: VolumeId, ownerId: AccountId, region: Region) {
    const [row] = await this.sql.query<{ id: SnapshotId; data_key: WrappedDataKey | null }>(
      `SELECT snapshot_id AS id, data_key FROM snapshots
       WHERE owner_id = $1 AND region = $2 AND is_copy AND source_volume_id = $3 AND state = 'completed'
         AND recycled_at IS NULL AND coalesce(tier ->> 'stage', 'standard') IN ('standard', 'restored')
       ORDER BY position DESC LIMIT 1`,
      [ownerId, region, volumeId],
    );
    return row === undefined ? null : { snapshotId: row.id, dataKey: row.data_key };
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
