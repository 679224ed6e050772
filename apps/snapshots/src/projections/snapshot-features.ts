import type { Sql } from '@holdfast/event-store';
import type { FastRestoreEvent } from '../domain/fast-restore.ts';
import { type Lock, type LockEvent, withLock } from '../domain/snapshot-lock.ts';
import { initialTier, type Tier, type TierEvent, withTier } from '../domain/snapshot-tier.ts';

const keep = (snapshotId: string, column: 'lock' | 'tier', value: object | null, sql: Sql) =>
  sql.query(`UPDATE snapshots SET ${column} = $2 WHERE snapshot_id = $1`, [
    snapshotId,
    value === null ? null : JSON.stringify(value),
  ]);

const rowOf = async (snapshotId: string, sql: Sql) => {
  const [row] = await sql.query<{ lock: Lock | null; tier: Tier | null }>(
    'SELECT lock, tier FROM snapshots WHERE snapshot_id = $1',
    [snapshotId],
  );
  return row ?? { lock: null, tier: null };
};

/** What a snapshot's lock, tier and fast restores have become. */
export const projectFeature = async (event: LockEvent | TierEvent | FastRestoreEvent, sql: Sql): Promise<unknown> => {
  const { snapshotId } = event;
  switch (event.type) {
    case 'FastRestoreEnabled':
      return sql.query(
        `INSERT INTO fast_restores (snapshot_id, account_id, zone, zone_id, region, enabling_time)
         SELECT $1, $2, $3, $4, region, $5 FROM snapshots WHERE snapshot_id = $1
         ON CONFLICT (snapshot_id, account_id, zone) DO UPDATE SET enabling_time = $5, disabling_time = NULL`,
        [snapshotId, event.account, event.zone, event.zoneId, event.at],
      );
    case 'FastRestoreDisabled':
      return sql.query(
        'UPDATE fast_restores SET disabling_time = $4 WHERE snapshot_id = $1 AND account_id = $2 AND zone = $3',
        [snapshotId, event.account, event.zone, event.at],
      );
    case 'FastRestoreUsed':
      return undefined; // Credits are of the decision only.
    case 'SnapshotLocked':
    case 'SnapshotUnlocked':
    case 'SnapshotLockBegan':
      return keep(snapshotId, 'lock', withLock((await rowOf(snapshotId, sql)).lock, event), sql);
    default:
      return keep(snapshotId, 'tier', withTier((await rowOf(snapshotId, sql)).tier ?? initialTier, event), sql);
  }
};
