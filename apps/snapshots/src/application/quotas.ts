import type { RequestContext, VolumeRecord } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotTable } from './ports.ts';
import { refusal } from './refusals.ts';

/** EC2's quota on snapshots of an account in a Region. */
const MAX_SNAPSHOTS = 100_000;
/** EC2's quotas on snapshots of one volume under way. */
const MAX_PENDING = 5;
const MAX_PENDING_OF_HDD = 1;
const HDD_TYPES = new Set(['st1', 'sc1']);

/** @throws DomainError SnapshotLimitExceeded when so many more would be too many. */
export const checkSnapshotCount = async (
  table: SnapshotTable,
  more: number,
  context: RequestContext,
): Promise<void> => {
  if ((await table.count(context, MAX_SNAPSHOTS)) + more > MAX_SNAPSHOTS) throw refusal('SnapshotLimitExceeded');
};

/** @throws DomainError SnapshotRateExceeded | ConcurrentSnapshotsExceeded */
export const checkVolumeQuotas = async (
  { table, clock, intervalSeconds }: { table: SnapshotTable; clock: Clock; intervalSeconds: number },
  { volumeId, volumeType }: VolumeRecord,
  context: RequestContext,
): Promise<void> => {
  const { pending, latest } = await table.ofVolume(volumeId, context);
  const sinceMs = latest === null ? Infinity : clock.now().getTime() - Date.parse(latest);
  if (sinceMs < intervalSeconds * 1000) throw refusal('SnapshotRateExceeded');
  if (pending >= (HDD_TYPES.has(volumeType) ? MAX_PENDING_OF_HDD : MAX_PENDING))
    throw refusal('ConcurrentSnapshotsExceeded');
};
