import { randomBytes } from 'node:crypto';
import { NbdClient } from '@holdfast/nbd/client';
import { newInstanceId, newVolumeId } from '@holdfast/contracts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';

const PAGE = 4096;
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

it('the same seed replays the same failures on an encrypted device', async () => {
  const lives = [];
  for (let life = 0; life < 2; life++) {
    const { volumeId, socketPath } = await host.attached({ key: 'faults' });
    await host.call('SetFaults', {
      volumeId,
      faults: { seed: 42, readErrors: 0.2, writeErrors: 0.2, tornWrites: 0.2 },
    });
    const client = await NbdClient.connect(socketPath);
    const failed: number[] = [];
    for (let at = 0; at < 100; at++) {
      const asked = at % 2 === 0 ? client.write(at * PAGE, Buffer.alloc(PAGE, at)) : client.read((at - 1) * PAGE, PAGE);
      await asked.catch(() => failed.push(at));
    }
    await host.call('SetFaults', { volumeId, faults: null });
    lives.push({ failed, content: await client.read(0, 100 * PAGE) });
    await client.close();
  }
  expect(lives[0]?.failed.length).toBeGreaterThan(10);
  expect(lives[1]).toEqual(lives[0]);
});

it('a loss of power takes some of what was not flushed, never what was, and the device comes back', async () => {
  const { volumeId, socketPath } = await host.attached({ key: 'power' });
  await host.call('SetFaults', { volumeId, faults: { seed: 5, loseUnsyncedWrites: true } });
  const client = await NbdClient.connect(socketPath);
  const [flushed, later] = [randomBytes(64 * PAGE), randomBytes(64 * PAGE)];
  await client.write(0, flushed);
  await client.write(64 * PAGE, flushed);
  await client.flush();
  await client.write(0, later);
  await host.call('SetFaults', { volumeId, faults: null, losePower: true });
  let again: NbdClient | undefined;
  await until('the device is back', async () => {
    again = await NbdClient.connect(socketPath).catch(() => undefined);
    return again !== undefined;
  });
  const found = (await again?.read(0, 128 * PAGE)) ?? Buffer.of();
  expect(found.subarray(64 * PAGE).equals(flushed)).toBe(true);
  const isAt = (from: Buffer, page: number) =>
    found.subarray(page * PAGE, (page + 1) * PAGE).equals(from.subarray(page * PAGE, (page + 1) * PAGE));
  const pages = Array.from({ length: 64 }, (_, page) =>
    isAt(later, page) ? 'new' : isAt(flushed, page) ? 'old' : 'torn',
  );
  expect(new Set(pages)).toEqual(new Set(['new', 'old']));
  await again?.close();
});

it('a snapshot waits while the block store is unavailable', async () => {
  const { volumeId, socketPath } = await host.attached();
  const client = await NbdClient.connect(socketPath);
  await client.write(0, randomBytes(PAGE));
  await client.close();
  await host.call('SetFaults', { volumeId, faults: { seed: 1, storeUnavailable: true } });
  const snapshotId = await host.snapshot(volumeId);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect((await host.call('GetSnapshotProgress', { snapshotId })).state).toBe('copying');
  await host.call('SetFaults', { volumeId, faults: null });
  expect((await host.settled(snapshotId)).state).toBe('completed');
});

it('a volume that is detached and grows keeps the faults that it was given', async () => {
  const volumeId = newVolumeId();
  await host.allocate({ volumeId, sizeGiB: 1 });
  await host.call('SetFaults', { volumeId, faults: { seed: 1, readErrors: 1 } });
  await host.call('GrowVolume', { volumeId, sizeGiB: 2 });
  const attachment = { volumeId, instanceId: newInstanceId(), device: '/dev/sdf' };
  const client = await NbdClient.connect((await host.call('OpenExport', attachment)).socketPath);
  await expect(client.read(0, PAGE)).rejects.toThrow();
  await client.close();
});

it('faults are refused where they make no sense', async () => {
  const nowhere = { volumeId: newVolumeId(), faults: null };
  await expect(host.call('SetFaults', nowhere)).rejects.toMatchObject({ code: 'VolumeNotFound' });
  const { volumeId } = await host.attached();
  await expect(host.call('SetFaults', { volumeId, faults: { seed: 1, readErrors: 2 } })).rejects.toThrow();
  const powerFails = { volumeId, faults: null, losePower: true };
  await expect(host.call('SetFaults', powerFails)).rejects.toMatchObject({ code: 'NothingToLose' });
});
