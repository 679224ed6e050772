import { newSnapshotId, newVolumeId } from '@holdfast/contracts';
import { expect, it, vi } from 'vitest';
import { CHANNEL_CLOSED, PeerError } from '../ipc.ts';
import { DataPlane, type DataPlaneParts } from './data-plane.ts';

const dataPlane = (withHost: () => Promise<void>) =>
  new DataPlane({
    hosts: { withHost },
    snapshots: { progress: () => ({ state: 'unknown', progress: 0 }) },
  } as unknown as DataPlaneParts);

const gone = new PeerError(CHANNEL_CLOSED, 'the other process has gone');
const ids = () => ({ snapshotId: newSnapshotId(), volumeId: newVolumeId() });

it('a snapshot whose host is killed meanwhile is taken by the next one', async () => {
  const withHost = vi
    .fn(() => Promise.resolve())
    .mockRejectedValueOnce(gone)
    .mockRejectedValueOnce(gone);
  await expect(dataPlane(withHost).freezeSnapshot(ids())).resolves.toEqual({});
  expect(withHost).toHaveBeenCalledTimes(3);
});

it('a snapshot that a host refuses is refused at once, and one that kills every host in the end', async () => {
  const refused = vi.fn(() => Promise.reject(new PeerError('ENOSPC', 'no space')));
  await expect(dataPlane(refused).freezeSnapshot(ids())).rejects.toThrow('no space');
  expect(refused).toHaveBeenCalledTimes(1);
  await expect(dataPlane(() => Promise.reject(gone)).freezeSnapshot(ids())).rejects.toBe(gone);
});
