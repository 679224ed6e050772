import type { Instant, VolumeId } from '@holdfast/contracts';
import { type CommandOf, type Decision, refuse, type VolumeState } from './volume-state.ts';

const DAY_MS = 86_400_000;

/** Into the Recycle Bin where a rule keeps it, else away. A volume of a launch that failed is not kept. */
export const depart = (
  { volumeId, at }: { volumeId: VolumeId; at: Instant },
  { retentionWaived }: VolumeState,
  retentionDays: number | null = null,
): Decision => {
  if (retentionDays === null || retentionWaived) return [{ type: 'VolumeDeletionStarted', volumeId, at }];
  const exitsAt = new Date(Date.parse(at) + retentionDays * DAY_MS).toISOString() as Instant;
  return [{ type: 'VolumeRecycled', volumeId, exitsAt, at }];
};

type DeletionCommand = CommandOf<
  'DeleteVolume' | 'WaiveRetention' | 'RestoreFromBin' | 'LeaveBin' | 'CompleteDeletion'
>;

export const decideDeletion = (command: DeletionCommand, state: VolumeState): Decision => {
  const { volumeId, at } = command;
  const { status, exitsAt, retentionWaived } = state;
  const isOver = exitsAt !== null && exitsAt <= at;
  switch (command.type) {
    case 'DeleteVolume':
      if (status === 'creating') return refuse('VolumeNotAvailable', { volumeId });
      if (status === 'in-use') return refuse('VolumeInUse', { volumeId });
      if (status !== 'available') return refuse('VolumeNotFound', { volumeId });
      return depart(command, state, command.retentionDays);
    case 'WaiveRetention': {
      const isThere = status === 'creating' || status === 'available' || status === 'in-use';
      return isThere && !retentionWaived ? [{ type: 'VolumeRetentionWaived', volumeId, at }] : [];
    }
    case 'RestoreFromBin':
      if (status !== 'recycled' || isOver) return refuse('VolumeNotInBin', { volumeId });
      return [{ type: 'VolumeRestoredFromBin', volumeId, at }];
    case 'LeaveBin':
      return status === 'recycled' && isOver ? [{ type: 'VolumeDeletionStarted', volumeId, at }] : [];
    default:
      return status === 'deleting' ? [{ type: 'VolumeDeleted', volumeId, at }] : [];
  }
};
