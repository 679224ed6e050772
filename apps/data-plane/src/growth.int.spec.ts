import { randomBytes } from 'node:crypto';
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { newVolumeId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';

const GIB = 1_073_741_824;
const MIB = 1_048_576;
let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle);
  await host.start();
}, 300_000);
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

describe.each([['unencrypted', undefined], ['encrypted', 'grows']])('an %s volume that grows', (_, key) => {
  it('offers the new size at once, keeps what was there, and is zero beyond', async () => {
    const { volumeId, instanceId, socketPath, dataKey } = await host.attached({ key });
    const data = randomBytes(MIB);
    const before = await NbdClient.connect(socketPath);
    await before.write(GIB - MIB, data);
    const first = await host.snapshot(volumeId);
    await host.call('GrowVolume', { volumeId, sizeGiB: 3 });
    const after = await NbdClient.connect(socketPath);
    expect(after.sizeBytes).toBe(3 * GIB);
    expect((await after.read(GIB - MIB, MIB)).equals(data)).toBe(true);
    expect((await after.read(3 * GIB - MIB, MIB)).equals(Buffer.alloc(MIB))).toBe(true);
    await after.write(3 * GIB - MIB, data);
    await before.write(0, data);
    await before.flush();
    expect((await after.read(0, MIB)).equals(data)).toBe(true);
    await Promise.all([before.close(), after.close()]);
    const second = await host.snapshot(volumeId);
    for (const snapshotId of [first, second]) expect((await host.settled(snapshotId)).state).toBe('completed');
    await host.call('CloseExport', { volumeId, instanceId });
    await host.call('GrowVolume', { volumeId, sizeGiB: 4 });
    await host.call('GrowVolume', { volumeId, sizeGiB: 2 });
    const again = await NbdClient.connect((await host.attach(volumeId, dataKey)).socketPath);
    expect(again.sizeBytes).toBe(4 * GIB);
    expect((await again.read(3 * GIB - MIB, MIB)).equals(data)).toBe(true);
    await again.close();
    const list = { startingBlockIndex: 0, limit: 100 };
    const { sizeGiB, blocks } = await host.call('ListBlocks', { snapshotId: second, firstSnapshotId: first, ...list });
    expect([sizeGiB, blocks.map(([index]) => index)]).toEqual([3, [0, 1, 6142, 6143]]);
  }, 300_000);

  it('while its blocks still come from a snapshot', async () => {
    const { volumeId, instanceId, socketPath, dataKey } = await host.attached({ key });
    const data = randomBytes(40 * MIB);
    const client = await NbdClient.connect(socketPath);
    for (let at = 0; at < data.length; at += MIB) await client.write(at, data.subarray(at, at + MIB));
    await client.close();
    const snapshotId = await host.snapshot(volumeId);
    await host.settled(snapshotId);
    await host.call('CloseExport', { volumeId, instanceId });
    const restored = newVolumeId();
    await host.allocate({ volumeId: restored, sizeGiB: 1, dataKey, source: { snapshotId, dataKey } });
    await host.call('GrowVolume', { volumeId: restored, sizeGiB: 2 });
    const device = await NbdClient.connect((await host.attach(restored, dataKey)).socketPath);
    for (let at = 0; at < data.length; at += MIB)
      expect((await device.read(at, MIB)).equals(data.subarray(at, at + MIB))).toBe(true);
    expect((await device.read(2 * GIB - MIB, MIB)).equals(Buffer.alloc(MIB))).toBe(true);
    await device.close();
  }, 300_000);
}); // prettier-ignore

it('a growth that was killed after its header is finished when the volume is opened', async () => {
  const { volumeId, instanceId, socketPath } = await host.attached();
  const client = await NbdClient.connect(socketPath);
  await client.write(0, Buffer.of(1));
  await client.close();
  await host.call('CloseExport', { volumeId, instanceId });
  const path = join(host.home, 'data-plane', 'volumes', volumeId, 'header.json');
  writeFileSync(path, readFileSync(path, 'utf8').replace('"sizeGiB": 1', '"sizeGiB": 2'));
  const { socketPath: next } = await host.attach(volumeId, undefined);
  await until('it is served', async () => (await NbdClient.connect(next)).sizeBytes === 2 * GIB);
  const again = await NbdClient.connect(next);
  expect((await again.read(0, 1))[0]).toBe(1);
  await again.close();
});

it('is refused for a volume that is not there, and beyond the largest', async () => {
  await expect(host.call('CheckGrowth', { volumeId: newVolumeId(), sizeGiB: 2 })).rejects.toMatchObject({ code: 'VolumeNotFound' });
  const { volumeId } = await host.attached();
  const input = { volumeId, sizeGiB: 65_537 };
  await expect(host.call('CheckGrowth', input)).rejects.toMatchObject({ code: 'InsufficientVolumeCapacity' });
  await expect(host.call('GrowVolume', input)).rejects.toMatchObject({ code: 'InsufficientVolumeCapacity' });
}); // prettier-ignore
