import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderBlockStore } from './block-store.ts';
import { DEVICE_DATA_OFFSET_BYTES as DATA, writeLabel } from './device-label.ts';
import { DevicePool, NoDeviceLeft } from './device-pool.ts';
import { BLOCK_SIZE_BYTES as BLOCK, GIB as REAL_GIB } from './geometry.ts';
import { GuestDevice } from './guest-device.ts';
import { StoreLayout } from './layout.ts';
import { testCipher } from './testing/test-cipher.ts';
import { devicePointer } from './volume-data.ts';
import { VolumeFile } from './volume-file.ts';
import { createEmptyVolume, growVolume, readVolumeHeader, removeVolumeFiles } from './volume-header.ts';

/** What these tests take for a GiB: the file system under them may keep no holes. */
const GIB = 8 * BLOCK;
const SCALE = GIB / REAL_GIB;
const [A, B] = ['vol-0000000a', 'vol-0000000b'] as const;
let folder: string;
let layout: StoreLayout;
let logged: string[];
let pools: DevicePool[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-devices-'));
  mkdirSync(join(folder, 'dev'));
  layout = new StoreLayout(join(folder, 'root'));
  logged = [];
  pools = [];
});
afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.close()));
  rmSync(folder, { recursive: true });
});

/** A file that stands for a device. */
const device = (name: string, sizeBytes: number): string => {
  const path = join(folder, 'dev', name);
  writeFileSync(path, '');
  truncateSync(path, sizeBytes);
  return path;
};
const put = (path: string, text: string, at: number): void => {
  const fd = openSync(path, 'r+');
  writeSync(fd, text, at);
  closeSync(fd);
};
const bytesAt = (path: string, at: number, length: number): Buffer => {
  const bytes = Buffer.alloc(length);
  const fd = openSync(path, 'r');
  readSync(fd, bytes, 0, length, at);
  closeSync(fd);
  return bytes;
};
const open = async (options: { overwrite?: string[]; on?: StoreLayout } = {}): Promise<DevicePool> => {
  const pool = new DevicePool({
    layout: options.on ?? layout,
    sources: [join(folder, 'dev')],
    overwrite: options.overwrite ?? [],
    log: (_, message) => logged.push(message),
    takesFiles: true,
    smallestBytes: GIB,
  });
  pools.push(pool);
  pool.start();
  await pool.settled();
  return pool;
};
const create = (pool: DevicePool, volumeId: string, sizeGiB: number): string => {
  pool.allot(volumeId, sizeGiB * SCALE);
  createEmptyVolume(layout, { format: 1, volumeId, sizeGiB: sizeGiB * SCALE, dataKey: null, sourceSnapshotId: null });
  return devicePointer(layout.volume(volumeId))?.path ?? '';
};
const remove = async (pool: DevicePool, volumeId: string): Promise<void> => {
  pool.release(volumeId);
  removeVolumeFiles(layout, volumeId);
  await pool.settled();
};
const openVolume = (volumeId: string, sizeGiB: number): VolumeFile =>
  new VolumeFile({ layout, volumeId, sizeGiB: sizeGiB * SCALE, store: new FolderBlockStore(layout.blocks) });
const states = (pool: DevicePool) => pool.devices().map(({ label }) => label.state);

describe('a volume on a device', () => {
  it('offers its guest exactly its GiB, in front of which the label is, and behind which nothing is touched', async () => {
    const path = device('a', GIB + DATA + 12_288);
    const pool = await open();
    expect(create(pool, A, 1)).toBe(path);
    const volume = openVolume(A, 1);
    const guest = new GuestDevice(volume, testCipher('key'));
    expect(guest.sizeBytes).toBe(GIB);
    const label = bytesAt(path, 0, DATA);
    await guest.write(0, Buffer.alloc(4096, 'first'));
    await guest.write(GIB - 4096, Buffer.alloc(4096, 'last!'));
    expect(() => guest.write(GIB, Buffer.alloc(1))).toThrow(RangeError);
    expect(() => volume.writeSync(GIB - 1, Buffer.alloc(2))).toThrow(RangeError);
    await guest.flush();
    const read = Buffer.alloc(8192, 1);
    await guest.read(GIB - 8192, read);
    expect(read).toEqual(Buffer.concat([Buffer.alloc(4096), Buffer.alloc(4096, 'last!')]));
    volume.close();
    expect(bytesAt(path, 0, DATA)).toEqual(label);
    expect(bytesAt(path, DATA, 4096).includes('first')).toBe(false);
    expect(bytesAt(path, DATA + GIB, 12_288)).toEqual(Buffer.alloc(12_288));
    expect(existsSync(layout.volume(A).data)).toBe(false);
  });

  it('grows as far as its device does', async () => {
    device('a', 2 * GIB + DATA);
    const header = { format: 1, volumeId: A, sizeGiB: SCALE, dataKey: null, sourceSnapshotId: null } as const;
    create(await open(), A, 1);
    const volume = openVolume(A, 1);
    const grown = growVolume(layout, header, 2 * SCALE);
    volume.reopenLarger(2 * SCALE);
    volume.writeSync(2 * GIB - 5, Buffer.from('grown'));
    expect(volume.sizeBytes).toBe(2 * GIB);
    growVolume(layout, grown, 3 * SCALE);
    expect(() => volume.reopenLarger(3 * SCALE)).toThrow(RangeError);
    volume.close();
  });

  it('is found again under another name, and refused on a device that is not its own', async () => {
    const path = device('a', GIB + DATA);
    const pool = await open();
    create(pool, A, 1);
    const volume = openVolume(A, 1);
    volume.writeSync(0, Buffer.from('mine'));
    volume.close();
    const other = device('b', GIB + DATA);
    renameSync(path, join(folder, 'dev', 'c'));
    renameSync(other, path);
    expect(() => openVolume(A, 1)).toThrow(/is not the device of/);
    await open();
    const again = openVolume(A, 1);
    const read = Buffer.alloc(4);
    again.readSync(0, read);
    expect(read.toString()).toBe('mine');
    again.close();
  });
});

describe('a device', () => {
  it('is given to one volume only, the smallest that has room, and again to the one that has it', async () => {
    const [large, small] = [device('l', 3 * GIB), device('s', 2 * GIB)];
    device('tiny', GIB + DATA - 1); // The label does not fit beside a GiB.
    symlinkSync(small, join(folder, 'dev', 'link'));
    const pool = await open();
    expect(create(pool, A, 1)).toBe(small);
    pool.allot(A, 1 * SCALE);
    expect(create(pool, B, 1)).toBe(large);
    expect(() => pool.allot('vol-0000000c', 1 * SCALE)).toThrow(NoDeviceLeft);
    expect(() => pool.allot('vol-0000000d', 4 * SCALE)).toThrow(NoDeviceLeft);
    expect(logged.join()).toContain('too small');
  });

  it('stays the volume’s when the host died before it had noted it', async () => {
    device('a', GIB + DATA);
    device('b', GIB + DATA);
    const before = await open();
    before.allot(A, 1 * SCALE);
    const { deviceId } = devicePointer(layout.volume(A)) ?? {};
    rmSync(layout.volume(A).folder, { recursive: true });
    const pool = await open();
    pool.allot(B, 1 * SCALE);
    pool.allot(A, 1 * SCALE);
    expect(devicePointer(layout.volume(A))?.deviceId).toBe(deviceId);
    expect(devicePointer(layout.volume(B))?.deviceId).not.toBe(deviceId);
  });

  it('is zeroed before it is given out, and after: no volume reads what another wrote', async () => {
    const path = device('a', GIB + DATA + 4096);
    put(path, 'left by somebody', DATA + 5 * BLOCK); // Where no signature would be.
    const pool = await open();
    create(pool, A, 1);
    const first = openVolume(A, 1);
    const read = Buffer.alloc(16, 1);
    first.readSync(5 * BLOCK, read);
    expect(read).toEqual(Buffer.alloc(16));
    first.writeSync(3 * BLOCK, Buffer.from('a secret of A'));
    first.close();
    await remove(pool, A);
    expect(states(pool)).toEqual(['free']);
    expect(readVolumeHeader(layout, A)).toBeNull();
    create(pool, B, 1);
    const second = openVolume(B, 1);
    second.readSync(3 * BLOCK, read);
    expect(read).toEqual(Buffer.alloc(16));
    second.close();
  });

  it('is not given out while it is zeroed, and zeroing goes on after a stop', async () => {
    const path = device('a', GIB + DATA);
    const pool = await open();
    create(pool, A, 1);
    put(path, 'without the map knowing', DATA + 7 * BLOCK);
    rmSync(layout.volume(A).header); // As when making it failed: nothing is known of what was written.
    pool.release(A);
    const closed = pool.close();
    removeVolumeFiles(layout, A);
    expect(() => pool.allot(B, 1 * SCALE)).toThrow(NoDeviceLeft);
    await closed;
    expect(states(pool)).toEqual(['zeroing']);
    const next = await open();
    expect(states(next)).toEqual(['free']);
    expect(bytesAt(path, DATA + 7 * BLOCK, 8)).toEqual(Buffer.alloc(8));
  });

  it.each([
    ['at its start', 1080],
    ['at its end', GIB + DATA - 512],
  ])('with something of somebody else %s is not touched, unless it is named', async (_, at) => {
    const path = device('a', GIB + DATA);
    put(path, 'a signature', at);
    const before = readFileSync(path).subarray(0, 4096);
    expect(states(await open())).toEqual([]);
    expect(logged.join()).toContain('something is on it');
    expect(bytesAt(path, 0, 4096)).toEqual(before);
    expect(bytesAt(path, at, 11).toString()).toBe('a signature');
    expect(states(await open({ overwrite: [path] }))).toEqual(['free']);
    expect(bytesAt(path, at, 11)).toEqual(Buffer.alloc(11));
  });

  it('of another host’s folder is left alone, and so is one with a damaged label', async () => {
    const path = device('a', GIB + DATA);
    expect(states(await open({ on: new StoreLayout(join(folder, 'elsewhere')) }))).toEqual(['free']);
    expect(states(await open())).toEqual([]);
    expect(logged.join()).toContain('another host');
    put(path, 'x', 100);
    expect(states(await open({ on: new StoreLayout(join(folder, 'elsewhere')) }))).toEqual([]);
  });

  it('that is a copy of another is not used, nor is the other', async () => {
    const [a, b] = [device('a', GIB + DATA), device('b', GIB + DATA)];
    const pool = await open();
    const label = pool.devices()[0]?.label;
    if (label === undefined) throw new Error('no device');
    for (const path of [a, b]) {
      const fd = openSync(path, 'r+');
      writeLabel(fd, label);
      closeSync(fd);
    }
    expect(() => pool.allot(A, 1 * SCALE)).toThrow(NoDeviceLeft);
    expect(logged.join()).toContain('a copy of the other');
  });

  it('must be a device: a file among them is not written to', async () => {
    const path = device('a', GIB + DATA);
    const pool = new DevicePool({
      ...{ layout, sources: [path], overwrite: [path], log: (_: string, message: string) => logged.push(message) },
    });
    expect(pool.devices()).toEqual([]);
    const fd = openSync(path, 'r');
    expect(fstatSync(fd).blocks).toBe(0);
    closeSync(fd);
  });
});
