import { newSnapshotId, newVolumeId } from '@holdfast/contracts';
import { expect, it, vi } from 'vitest';
import { CHANNEL_CLOSED, PeerError } from '../ipc.ts';
import { DataPlane, type DataPlaneParts } from './data-plane.ts';

const noted: [string, number][] = [];
const dataPlane = (withHost: (volumeId: string, work: (host: object) => Promise<void>) => Promise<void>) =>
  new DataPlane({
    noteFreeze: (of: string, heldMs: number) => noted.push([of, heldMs]),
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

it('it is noted how long a guest waited, once for each snapshot', async () => {
  noted.splice(0);
  for (const heldMs of [12.5, null]) {
    const host = { call: () => Promise.resolve({ heldMs }) };
    await dataPlane((_, work) => work(host)).freezeSnapshot(ids());
  }
  const calls: string[] = [];
  const host = { call: (name: string) => Promise.resolve({ heldMs: calls.push(name) }) };
  await dataPlane((_, work) => work(host)).freezeSnapshots({ snapshots: [ids(), ids()] });
  expect(calls).toEqual(['Hold', 'Hold', 'Freeze', 'Freeze', 'Release', 'Release']);
  expect(noted.map(([of]) => of)).toEqual(['volume', 'set']);
  expect(noted[0]).toEqual(['volume', 12.5]);
});
