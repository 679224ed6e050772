import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newVolumeId, type VolumeId } from '@holdfast/contracts';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';
import { LoopDevices } from './testing/loop-devices.ts';

const GIB = 1_073_741_824;
const MIB = 1_048_576;
/** Of the flags in /proc: octal. */
const O_DIRECT = 0o40000;
const unavailable = LoopDevices.unavailable();
if (unavailable !== null)
  process.stderr.write(`NOT RUN: devices past the page cache: no loop device (${unavailable})\n`);

let bundle: string;
beforeAll(async () => {
  bundle = await buildDataPlane();
});
afterAll(() => removeBundle(bundle));

/** Empty for what has just ended. */
const quietly = <T>(read: () => T, otherwise: T): T => {
  try {
    return read();
  } catch {
    return otherwise;
  }
};

/** With what flags processes have a file or a device open. */
const flagsOf = (path: string): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => quietly(() => readdirSync(`/proc/${pid}/fd`), []).map((fd) => ({ pid, fd })))
    .filter(({ pid, fd }) => quietly(() => readlinkSync(`/proc/${pid}/fd/${fd}`), '') === path)
    .map(({ pid, fd }) => /^flags:\s+(\d+)/m.exec(quietly(() => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'), '')))
    .map((flags) => Number.parseInt(flags?.[1] ?? '0', 8));

const isDirect = (path: string): boolean => flagsOf(path).some((flags) => (flags & O_DIRECT) !== 0);

/** Requests of all sizes and places, several at once, against a copy in memory. */
const exercise = async (client: NbdClient, model: Buffer): Promise<void> => {
  for (let round = 0; round < 4; round++) {
    // None of one round touches another.
    const room = model.length / 8;
    await Promise.all(
      Array.from({ length: 8 }, async (_, lane) => {
        const at = lane * room + Math.floor(Math.random() * 5_000);
        const data = randomBytes(1 + Math.floor(Math.random() * (room - 5_000)));
        await client.write(at, data);
        data.copy(model, at);
      }),
    );
    const at = Math.floor(Math.random() * 9_000);
    expect((await client.read(at, model.length - at)).equals(model.subarray(at))).toBe(true);
  }
  await client.flush();
};

describe('volumes past the page cache', () => {
  it('keep what is written, as files, through snapshots and kill -9', async () => {
    const host = new TestHost(bundle, { HOLDFAST_VOLUME_IO: 'direct' });
    try {
      await host.start();
      const { socketPath, ...attachment } = await host.attached({ key: 'a' });
      const client = await NbdClient.connect(socketPath);
      expect(client.sizeBytes).toBe(GIB);
      const model = Buffer.alloc(4 * MIB);
      await exercise(client, model);
      expect(isDirect(`${host.home}/data-plane/volumes/${attachment.volumeId}/data`)).toBe(true);
      const snapshotId = await host.snapshot(attachment.volumeId);
      const then = Buffer.from(model);
      await exercise(client, model);
      expect(await host.settled(snapshotId)).toMatchObject({ state: 'completed' });

      await host.killService('SIGKILL');
      await client.close().catch(() => undefined);
      await host.startService();
      const again = await host.call('OpenExport', attachment);
      const reader = await NbdClient.connect(again.socketPath);
      expect((await reader.read(0, model.length)).equals(model)).toBe(true);
      await reader.close();

      const restored = newVolumeId();
      const dataKey = host.kms.use('a', restored);
      await host.allocate({ volumeId: restored, sizeGiB: 1, dataKey, source: { snapshotId, dataKey } });
      const { socketPath: other } = await host.attach(restored, dataKey);
      const successor = await NbdClient.connect(other);
      expect((await successor.read(0, then.length)).equals(then)).toBe(true);
      await successor.close();
    } finally {
      await host.stop();
    }
  });

  it.skipIf(unavailable !== null)('keep what is written, on a device that nobody else may open', async () => {
    const loops = new LoopDevices();
    const { device } = loops.add('mine', GIB + MIB);
    const host = new TestHost(bundle, { HOLDFAST_VOLUME_IO: 'direct', HOLDFAST_VOLUME_DEVICES: loops.pool });
    try {
      await host.start();
      const volumeId: VolumeId = newVolumeId();
      const dataKey = host.kms.use('b', volumeId);
      const allocate = () => host.allocate({ volumeId, sizeGiB: 1, dataKey }).then(() => true, () => false);
      await until('the device is zeroed', allocate);
      const { socketPath } = await host.attach(volumeId, dataKey);
      const client = await NbdClient.connect(socketPath);
      const model = Buffer.alloc(4 * MIB);
      await exercise(client, model);
      expect(isDirect(device)).toBe(true);
      await client.close();
    } finally {
      await host.stop();
      loops.remove();
    }
  }); // prettier-ignore
});
