import { describe, expect, it } from 'vitest';
import { type LoggedEvent, snapshotStories, volumeStories } from './stories.ts';

const logged = (type: string, data: LoggedEvent['data'] = {}): LoggedEvent => ({
  streamId: 'volume-vol-1',
  type,
  data,
});
const created = [logged('VolumeCreated', { encryption: {} }), logged('VolumeProvisioned')];
const started = (instanceId: string) => logged('AttachmentStarted', { instanceId, device: '/dev/sdf' });
const granted = logged('AttachmentGrantCreated', { instanceId: 'i-1', grantId: 'g' });
const completed = logged('AttachmentCompleted', { instanceId: 'i-1' });
const faultsOf = (...events: LoggedEvent[]) => volumeStories(events).flatMap(({ faults }) => faults);

describe('the story of a volume', () => {
  it('is in order while it is attached once at a time, under a grant', () => {
    const ended = [logged('DetachmentStarted', { instanceId: 'i-1' }), logged('VolumeDetached', { instanceId: 'i-1' })];
    expect(faultsOf(...created, started('i-1'), granted, completed, ...ended, started('i-2'))).toEqual([]);
  });

  it('tells of two attachments at a time, unless it is shared', () => {
    expect(faultsOf(...created, started('i-1'), started('i-2'))).toEqual(['vol-1 was attached to i-2 beside i-1']);
    const shared = logged('VolumeCreated', { encryption: {}, multiAttachEnabled: true });
    expect(faultsOf(shared, logged('VolumeProvisioned'), started('i-1'), started('i-2'))).toEqual([]);
    expect(faultsOf(shared, logged('VolumeProvisioned'), started('i-1'), started('i-1'))).toHaveLength(1);
  });

  it('tells of a device that is open without a grant', () => {
    const fault = ['vol-1 is open at i-1 without grant'];
    expect(faultsOf(...created, started('i-1'), completed)).toEqual(fault);
    const suspended = logged('AttachmentSuspended', { instanceId: 'i-1' });
    const resumed = logged('AttachmentResumed', { instanceId: 'i-1' });
    expect(faultsOf(...created, started('i-1'), granted, completed, suspended)).toEqual([]);
    expect(faultsOf(...created, started('i-1'), granted, completed, suspended, resumed)).toEqual(fault);
  });

  it('tells of what happens to a volume that is not there, or is attached', () => {
    const deleted = logged('VolumeDeletionStarted');
    expect(faultsOf(...created, deleted, started('i-1'))).toEqual(['vol-1 was attached while deleting']);
    expect(faultsOf(...created, started('i-1'), deleted)).toEqual(['vol-1 was deleted while attached']);
  });
});

describe('the story of a snapshot', () => {
  it('ends where its events end', () => {
    const log = ['SnapshotStarted', 'SnapshotProgressed', 'SnapshotCompleted', 'SnapshotDeletionStarted'];
    const events = log.map((type) => ({ streamId: 'snapshot-snap-1', type, data: {} }));
    const statusAfter = (count: number) => snapshotStories(events.slice(0, count))[0]?.status;
    expect([1, 2, 3, 4].map(statusAfter)).toEqual(['pending', 'pending', 'completed', 'deleting']);
  });
});
