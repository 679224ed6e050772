import { accountId, instanceId, type Instant, region, volumeId } from '@holdfast/contracts';
import { specification } from '@holdfast/decider/testing';
import { describe, it } from 'vitest';
import { volumeDecider } from './volume.decider.ts';
import type { VolumeEvent } from './volume.events.ts';

const given = specification(volumeDecider);
const id = volumeId('vol-0123456789abcdef0');
const holder = instanceId('i-0123456789abcdef0');
const at = (day: number) => `2026-01-${String(day).padStart(2, '0')}T00:00:00.000Z` as Instant;
const there: readonly VolumeEvent[] = [
  {
    type: 'VolumeCreated',
    ...{ volumeId: id, accountId: accountId('111122223333'), region: region('eu-central-1') },
    ...{ availabilityZone: 'eu-central-1a', availabilityZoneId: 'euc1-az1', volumeType: 'gp2', sizeGiB: 1, iops: 100 },
    ...{ throughputMiBps: null, source: null, encryption: null, tags: {}, at: at(1) },
  },
  { type: 'VolumeProvisioned', volumeId: id, hostId: 'h1', at: at(1) },
];
const recycled: VolumeEvent = { type: 'VolumeRecycled', volumeId: id, exitsAt: at(9), at: at(2) };
const returned: VolumeEvent = { type: 'VolumeRestoredFromBin', volumeId: id, at: at(8) };
const waived: VolumeEvent = { type: 'VolumeRetentionWaived', volumeId: id, at: at(1) };
const deletion = (day: number): VolumeEvent => ({ type: 'VolumeDeletionStarted', volumeId: id, at: at(day) });
const remove = (day: number, retentionDays?: number) =>
  ({ type: 'DeleteVolume', volumeId: id, retentionDays, at: at(day) }) as const;
const detaching: readonly VolumeEvent[] = [
  ...there,
  {
    type: 'AttachmentStarted',
    ...{ volumeId: id, instanceId: holder, hostId: 'h1', device: '/dev/sdf', deleteOnTermination: true, at: at(1) },
  },
  { type: 'AttachmentCompleted', volumeId: id, instanceId: holder, at: at(1) },
  { type: 'DetachmentStarted', volumeId: id, instanceId: holder, deleteVolume: true, at: at(2) },
];
const complete = { type: 'CompleteDetachment', volumeId: id, instanceId: holder, retentionDays: 7, at: at(2) } as const;
const detached: VolumeEvent = { type: 'VolumeDetached', volumeId: id, instanceId: holder, at: at(2) };

describe('a volume in the Recycle Bin', () => {
  it('is put there by a rule when it is deleted', () => {
    given(...there)
      .when(remove(2, 7))
      .then(recycled);
    given(...there)
      .when(remove(2))
      .then(deletion(2));
  });

  it('is put there by a rule when it ends with its instance', () => {
    given(...detaching)
      .when(complete)
      .then(detached, recycled);
    given(...detaching)
      .when({ ...complete, retentionDays: null })
      .then(detached, deletion(2));
  });

  it('is never one of a launch that failed', () => {
    given(...there)
      .when({ type: 'WaiveRetention', volumeId: id, at: at(1) })
      .then(waived);
    given(...there, waived)
      .when({ type: 'WaiveRetention', volumeId: id, at: at(2) })
      .thenNothing();
    given(...there, waived)
      .when(remove(2, 7))
      .then(deletion(2));
    given(...detaching, waived)
      .when(complete)
      .then(detached, deletion(2));
  });

  it('is of no use, but for its tags', () => {
    given(...there, recycled)
      .when(remove(3))
      .thenRefuses('VolumeNotFound');
    given(...there, recycled)
      .when({ ...{ type: 'AttachVolume', volumeId: id, instanceId: holder, hostId: 'h1', device: '/dev/sdf' }, deleteOnTermination: false, at: at(3) })
      .thenRefuses('VolumeNotFound'); // prettier-ignore
    given(...there, recycled)
      .when({ type: 'ModifyVolume', volumeId: id, request: { sizeGiB: 2 }, at: at(3) })
      .thenRefuses('VolumeNotFound');
    given(...there, recycled)
      .when({ type: 'ChangeAutoEnableIo', volumeId: id, autoEnableIo: true, at: at(3) })
      .thenRefuses('VolumeNotFound');
    given(...there, recycled)
      .when({ type: 'TagVolume', volumeId: id, tags: { a: '1' }, at: at(3) })
      .then({ type: 'VolumeTagged', volumeId: id, tags: { a: '1' }, at: at(3) });
  });

  it('is given back, or leaves when its time is over', () => {
    const restore = (day: number) => ({ type: 'RestoreFromBin', volumeId: id, at: at(day) }) as const;
    const leave = (day: number) => ({ type: 'LeaveBin', volumeId: id, at: at(day) }) as const;
    given(...there, recycled)
      .when(restore(8))
      .then(returned);
    given(...there, recycled, returned)
      .when(remove(9))
      .then(deletion(9));
    given(...there, recycled)
      .when(restore(9))
      .thenRefuses('VolumeNotInBin');
    given(...there)
      .when(restore(8))
      .thenRefuses('VolumeNotInBin');
    given(...there, recycled)
      .when(leave(8))
      .thenNothing();
    given(...there, recycled)
      .when(leave(9))
      .then(deletion(9));
    given(...there, recycled, returned)
      .when(leave(9))
      .thenNothing();
  });
});
