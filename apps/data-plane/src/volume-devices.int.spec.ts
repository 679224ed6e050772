import { randomBytes } from 'node:crypto';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { AwsError, newVolumeId, type VolumeId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';
import { LoopDevices } from './testing/loop-devices.ts';

const GIB = 1_073_741_824;
const MIB = 1_048_576;
/** More than zeroing two sparse GiB takes on the busiest machine. */
const LIMIT_MS = 60_000;
const unavailable = LoopDevices.unavailable();
if (unavailable !== null) process.stderr.write(`NOT RUN: volumes on block devices: no loop device (${unavailable})\n`);

/** The first 2 MiB of a device's file: the label, and where the guest's bytes begin. */
const startOf = (file: string): Buffer => {
  const bytes = Buffer.alloc(2 * MIB);
  const fd = openSync(file, 'r');
  readSync(fd, bytes);
  closeSync(fd);
  return bytes;
};

describe.skipIf(unavailable !== null)('volumes on block devices', () => {
  let bundle: string;
  let host: TestHost;
  let loops: LoopDevices;
  let mine: { device: string; file: string };
  let foreign: { device: string; file: string };

  beforeAll(async () => {
    loops = new LoopDevices();
    // Room for a GiB and the label, and not for a byte more.
    mine = loops.add('mine', GIB + MIB);
    foreign = loops.add('foreign', GIB + MIB, (file) => {
      const fd = openSync(file, 'r+');
      writeSync(fd, 'somebody’s partition table', 510);
      closeSync(fd);
    });
    bundle = await buildDataPlane();
    host = new TestHost(bundle, { HOLDFAST_VOLUME_DEVICES: loops.pool });
    await host.start();
  });
  afterAll(async () => {
    await host.stop();
    loops.remove();
    removeBundle(bundle);
  });

  const refusedWith = (code: string) => (error: unknown) => {
    if (error instanceof AwsError && error.code === code) return false;
    throw error;
  };
  /** Once a device is zeroed. */
  const allocated = (volumeId: VolumeId, key?: string) =>
    until(
      `${volumeId} has a device`,
      () =>
        host
          .allocate({ volumeId, sizeGiB: 1, dataKey: key === undefined ? undefined : host.kms.use(key, volumeId) })
          .then(() => true)
          .catch(refusedWith('InsufficientVolumeCapacity')),
      LIMIT_MS,
    );

  it('have all of the device but its label, are ciphertext there, and outlive kill -9 of their service', async () => {
    const volumeId = newVolumeId();
    await allocated(volumeId, 'device-key');
    await expect(host.allocate({ volumeId: newVolumeId(), sizeGiB: 1 })).rejects.toMatchObject({
      code: 'InsufficientVolumeCapacity',
    });
    await expect(host.call('CheckGrowth', { volumeId, sizeGiB: 2 })).rejects.toMatchObject({
      code: 'InsufficientVolumeCapacity',
    });
    const { socketPath, ...attachment } = await host.attach(volumeId, host.kms.use('device-key', volumeId));
    const text = Buffer.from('nobody may read this line without the key\n'.repeat(100));
    const ends = randomBytes(4096);
    const client = await NbdClient.connect(socketPath);
    expect(client.sizeBytes).toBe(GIB);
    await client.write(0, text);
    await client.write(GIB - ends.length, ends);
    await client.flush();
    // Held by its block host alone.
    expect(() => openSync(mine.device, constants.O_RDWR | constants.O_EXCL)).toThrow(/EBUSY/);

    await host.killService('SIGKILL');
    await client.close().catch(() => undefined);
    await host.startService();
    const again = await host.call('OpenExport', attachment);
    const reader = await NbdClient.connect(again.socketPath);
    expect((await reader.read(0, text.length)).equals(text)).toBe(true);
    expect((await reader.read(GIB - ends.length, ends.length)).equals(ends)).toBe(true);
    await reader.close();
    await host.call('CloseExport', { volumeId, instanceId: attachment.instanceId });
    const stored = startOf(mine.file);
    expect(stored.includes('HOLDFAST VOLUME DEVICE')).toBe(true);
    expect(stored.includes('nobody may read')).toBe(false);
    expect(stored.subarray(MIB, MIB + 4096).equals(Buffer.alloc(4096))).toBe(false);

    await host.call('RemoveVolume', { volumeId });
    host.attachments = [];
    const next = newVolumeId();
    await allocated(next);
    const { socketPath: other } = await host.attach(next, undefined);
    const successor = await NbdClient.connect(other);
    expect((await successor.read(0, MIB)).equals(Buffer.alloc(MIB))).toBe(true);
    expect((await successor.read(GIB - MIB, MIB)).equals(Buffer.alloc(MIB))).toBe(true);
    await successor.close();
  });

  it('are never put on a device that has something on it', () => {
    expect(host.log).toContain('something is on it');
    expect(startOf(foreign.file).indexOf('somebody’s partition table')).toBe(510);
  });
});
