import type { Instant, RequestContext, SnapshotId, VolumeId } from '@holdfast/contracts';
import { column, filterConditions, type SqlFilter, SqlParameters } from '@holdfast/ec2';
import type { Sql } from '@holdfast/event-store';
import type {
  DueSnapshot,
  FastRestoreRow,
  FeatureQuery,
  LockedRow,
  RecycledRow,
  SnapshotFeatureTable,
  TieredRow,
} from '../../application/feature-ports.ts';
import { type Lock, lockStateOf } from '../../domain/snapshot-lock.ts';

const BASICS = `snapshot_id AS "snapshotId", owner_id AS "ownerId", volume_id AS "volumeId", position::text AS position`;

/** The same as `lockStateOf`, for filters; `now` is a placeholder. */
const lockState = (now: string) => `(CASE
  WHEN lock ->> 'expiresOn' <= ${now}::text COLLATE "C" THEN 'expired'
  WHEN lock ->> 'mode' = 'governance' THEN 'governance'
  WHEN lock -> 'coolOff' ->> 'expiresOn' > ${now}::text COLLATE "C" THEN 'compliance-cooloff'
  ELSE 'compliance' END)`;

/** @see DescribeSnapshotTierStatus, "Filters" */
export const TIER_FILTERS: Readonly<Record<string, SqlFilter>> = {
  'snapshot-id': column('snapshot_id'),
  'volume-id': column('volume_id'),
  'last-tiering-operation': column(`((tier -> 'operation' ->> 'kind') || '-' || (tier -> 'operation' ->> 'outcome'))`),
};

/** @see DescribeLockedSnapshots, "Filters" */
export const lockFilters = (now: () => string): Readonly<Record<string, SqlFilter>> => ({
  'lock-state': (any) => any(lockState(now())),
});

export class PostgresSnapshotFeatures implements SnapshotFeatureTable {
  constructor(private readonly sql: Sql) {}

  async locked(query: FeatureQuery, now: Instant, context: RequestContext): Promise<LockedRow[]> {
    const parameters = new SqlParameters();
    // Its parameter is there only if the filter is.
    const filters = lockFilters(() => parameters.add(now));
    const conditions = ['lock IS NOT NULL', 'recycled_at IS NULL'];
    const rows = await this.page<Omit<LockedRow, 'lockState'> & { lock: Lock }>(
      ...['lock', conditions, filters, query, context, parameters],
    );
    return rows.map((row) => ({ ...row, lockState: lockStateOf(row.lock, now) }));
  }

  tiered(query: FeatureQuery, context: RequestContext): Promise<TieredRow[]> {
    const conditions = ['tier IS NOT NULL', 'recycled_at IS NULL'];
    return this.page<TieredRow>('tier, state, tags', conditions, TIER_FILTERS, query, context, new SqlParameters());
  }

  recycled(query: FeatureQuery, now: Instant, context: RequestContext): Promise<RecycledRow[]> {
    const parameters = new SqlParameters();
    const columns = `description, recycled_at AS "recycledAt", exits_at AS "exitsAt"`;
    const conditions = [`exits_at > ${parameters.add(now)}`];
    return this.page<RecycledRow>(columns, conditions, {}, query, context, parameters);
  }

  async owned(snapshotIds: readonly string[], { accountId, region }: RequestContext): Promise<Set<string>> {
    const rows = await this.sql.query<{ id: string }>(
      `SELECT snapshot_id AS id FROM snapshots
       WHERE snapshot_id = ANY($1::text[]) AND owner_id = $2 AND region = $3 AND recycled_at IS NULL`,
      [snapshotIds, accountId, region],
    );
    return new Set(rows.map(({ id }) => id));
  }

  async tierCounts(volumeId: VolumeId | null, { accountId, region }: RequestContext) {
    const [row] = await this.sql.query<{ archiving: number; restoring: number; archivedOfVolume: number }>(
      `SELECT (count(*) FILTER (WHERE tier ->> 'stage' = 'archiving'))::integer AS archiving,
         (count(*) FILTER (WHERE tier ->> 'stage' = 'restoring'))::integer AS restoring,
         (count(*) FILTER (WHERE volume_id = $3 AND tier ->> 'stage' <> 'standard'))::integer AS "archivedOfVolume"
       FROM snapshots WHERE owner_id = $1 AND region = $2 AND tier IS NOT NULL`,
      [accountId, region, volumeId],
    );
    return row ?? { archiving: 0, restoring: 0, archivedOfVolume: 0 };
  }

  fastRestores({ accountId, region }: RequestContext): Promise<FastRestoreRow[]> {
    return this.sql.query<FastRestoreRow>(
      `SELECT f.snapshot_id AS "snapshotId", f.account_id AS "accountId", f.zone, f.zone_id AS "zoneId",
         f.enabling_time AS "enablingTime", f.disabling_time AS "disablingTime", s.volume_size_gib AS "sizeGiB"
       FROM fast_restores f JOIN snapshots s ON s.snapshot_id = f.snapshot_id
       WHERE f.account_id = $1 AND f.region = $2 ORDER BY f.snapshot_id, f.zone`,
      [accountId, region],
    );
  }

  dueToLeaveBin(now: Instant, limit: number): Promise<DueSnapshot[]> {
    return this.due('exits_at', now, limit);
  }

  dueToReturn(now: Instant, limit: number): Promise<DueSnapshot[]> {
    return this.due(`tier ->> 'restoreExpiresAt'`, now, limit);
  }

  private due(expression: string, now: Instant, limit: number): Promise<DueSnapshot[]> {
    return this.sql.query<DueSnapshot>(
      `SELECT snapshot_id AS "snapshotId", owner_id AS "ownerId", region FROM snapshots
       WHERE ${expression} <= $1::text COLLATE "C" ORDER BY ${expression} LIMIT $2`,
      [now, limit],
    );
  }

  private page<Found extends { snapshotId: SnapshotId }>(
    columns: string,
    conditions: readonly string[],
    filters: Readonly<Record<string, SqlFilter>>,
    { filters: asked, snapshotIds = [], after, limit }: FeatureQuery,
    { accountId, region }: RequestContext,
    parameters: SqlParameters,
  ): Promise<Found[]> {
    const all = [
      ...conditions,
      `owner_id = ${parameters.add(accountId)}`,
      `region = ${parameters.add(region)}`,
      ...filterConditions(asked, filters, 'tags', parameters),
      ...(snapshotIds.length > 0 ? [`snapshot_id = ANY(${parameters.add(snapshotIds)}::text[])`] : []),
      ...(after === undefined ? [] : [`position > ${parameters.add(after)}::bigint`]),
    ];
    return this.sql.query<Found>(
      `SELECT ${BASICS}, ${columns} FROM snapshots WHERE ${all.join(' AND ')}
       ORDER BY snapshots.position LIMIT ${parameters.add(limit)}`,
      parameters.values,
    );
  }
}
