import type { RequestContext, SnapshotId } from '@holdfast/contracts';
import type { SnapshotState } from '../domain/snapshot.decider.ts';
import type { SnapshotStreams } from './ports.ts';
import { refusal } from './refusals.ts';

/**
 * The caller's snapshot in the caller's Region. Another account's is as absent as one that never was.
 * @throws DomainError SnapshotNotFound
 */
export const ownSnapshot = async (
  snapshots: SnapshotStreams,
  snapshotId: SnapshotId,
  { accountId, region }: RequestContext,
): Promise<SnapshotState> => {
  const state = await snapshots.load(snapshotId);
  const { started, status } = state;
  const isThere = status === 'pending' || status === 'completed' || status === 'error';
  if (started?.ownerId !== accountId || started.region !== region || !isThere)
    throw refusal('SnapshotNotFound', { snapshotId });
  return state;
};
