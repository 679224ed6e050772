import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FolderBlockStore } from './block-store.ts';
import { openNodeFile } from './backing-file.ts';
import { BackgroundWork } from './background.ts';
import { BLOCK_SIZE_BYTES, GIB } from './geometry.ts';
import { GuestDevice } from './guest-device.ts';
import { StoreLayout } from './layout.ts';
import { Manifest } from './manifest.ts';
import { directIoHere } from './testing/direct-io-here.ts';
import { holesHere } from './testing/holes-here.ts';
import { testCipher } from './testing/test-cipher.ts';
import { VolumeFile } from './volume-file.ts';
import { createEmptyVolume, createRestoredVolume } from './volume-header.ts';

let layout: StoreLayout;
let volume: VolumeFile;
let device: GuestDevice;
const open = (spillBlocks?: number) => {
  const store = new FolderBlockStore(layout.blocks);
  volume = new VolumeFile({ layout, volumeId: 'vol-00000001', sizeGiB: 1, store, spillBlocks });
  device = new GuestDevice(volume, testCipher('guest'));
};
beforeEach(() => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-guest-')));
  const header = { volumeId: 'vol-00000001', sizeGiB: 1, dataKey: null, sourceSnapshotId: null };
  createEmptyVolume(layout, { format: 1, ...header });
  open();
});
afterEach(() => {
  volume.close();
  rmSync(layout.root, { recursive: true });
});

it('does what the README shows', async () => {
  await device.write(1_000, Buffer.from('before'));
  await volume.freeze({ snapshotId: 'snap-00000001', sizeGiB: 1, dataKey: null });
  await device.write(1_000, Buffer.from('after!'));
  const background = new BackgroundWork(volume, new AbortController().signal);
  while (background.isNeeded) await background.step();
  const manifest = Manifest.read(layout.snapshot('snap-00000001').manifest);
  const block = await new FolderBlockStore(layout.blocks).get(manifest.digest(0)!);
  testCipher('guest').decrypt(block, 0, 4096, 0);
  expect(block.toString('latin1', 1_000, 1_006)).toBe('before');
});

describe('a guest', () => {
  it('is refused every range outside its device', () => {
    const byte = Buffer.alloc(1);
    for (const offset of [-1, GIB, Number.NaN, 0.5, Number.MAX_SAFE_INTEGER]) {
      expect(() => device.read(offset, byte)).toThrow(RangeError);
      expect(() => device.write(offset, byte)).toThrow(RangeError);
      expect(() => device.trim(offset, 1)).toThrow(RangeError);
      expect(() => device.extents(offset, 1)).toThrow(RangeError);
    }
    expect(() => device.trim(0, GIB + 1)).toThrow(RangeError);
    expect(() => device.trim(10, -1)).toThrow(RangeError);
  });

  it('trims a device it never wrote to in no time and no space', async () => {
    await device.trim(0, GIB);
    expect(statSync(volume.paths.data).blocks).toBe(0);
    expect(device.extents(0, GIB)).toEqual([{ lengthBytes: GIB, state: 'zero' }]);
  });

  it.skipIf(!holesHere())('gives back the space of what it trims', async () => {
    const allocated = () => statSync(volume.paths.data).blocks * 512;
    await device.write(0, randomBytes(4 * BLOCK_SIZE_BYTES));
    await device.flush();
    const full = allocated();
    expect(full).toBeGreaterThanOrEqual(4 * BLOCK_SIZE_BYTES);
    await device.trim(BLOCK_SIZE_BYTES, 2 * BLOCK_SIZE_BYTES);
    await device.flush();
    expect(full - allocated()).toBeGreaterThan(BLOCK_SIZE_BYTES); // File systems keep some for themselves.
    expect(statSync(volume.paths.data).size).toBe(GIB);
    const found = Buffer.alloc(2 * BLOCK_SIZE_BYTES, 1);
    await device.read(BLOCK_SIZE_BYTES, found);
    expect(found.equals(Buffer.alloc(found.length))).toBe(true);
    await device.write(BLOCK_SIZE_BYTES, Buffer.from('again'));
    await device.read(BLOCK_SIZE_BYTES, found);
    expect(found.toString('latin1', 0, 6)).toBe('again\0');
  });

  it.skipIf(!holesHere())('gives back whole units of a part of a block, and changes nothing beside them', async () => {
    const allocated = () => statSync(volume.paths.data).blocks * 512;
    const content = randomBytes(4 * BLOCK_SIZE_BYTES);
    await device.write(0, Buffer.from(content));
    await volume.freeze({ snapshotId: 'snap-00000001', sizeGiB: 1, dataKey: null });
    await device.flush();
    const full = allocated();
    // Parts of four blocks, each from within a unit to within another.
    for (let block = 0; block < 4; block++) {
      const [from, length] = [block * BLOCK_SIZE_BYTES + 1_000, 300_000];
      await device.trim(from, length);
      content.fill(0, from, from + length);
    }
    await device.trim(3 * BLOCK_SIZE_BYTES + 400_000, 20_000);
    content.fill(0, 3 * BLOCK_SIZE_BYTES + 400_000, 3 * BLOCK_SIZE_BYTES + 420_000);
    await device.flush();
    // 72 units of each; the file system keeps some space for itself.
    expect(full - allocated()).toBeGreaterThan(3 * 72 * 4_096);
    const found = Buffer.alloc(content.length);
    await device.read(0, found);
    expect(found.equals(content)).toBe(true);
    const background = new BackgroundWork(volume, new AbortController().signal);
    while (background.isNeeded) await background.step();
    // The snapshot is of before.
    const [, digest] = [...Manifest.read(layout.snapshot('snap-00000001').manifest)][0]!;
    const frozen = await new FolderBlockStore(layout.blocks).get(digest);
    testCipher('guest').decrypt(frozen, 0, frozen.length, 0);
    expect(frozen.subarray(1_000, 301_000).equals(Buffer.alloc(300_000))).toBe(false);
    expect(frozen.subarray(301_000).equals(content.subarray(301_000, BLOCK_SIZE_BYTES))).toBe(true);
  });

  it('keeps space allocated when it insists', async () => {
    await device.writeZeroes(1000, 3 * BLOCK_SIZE_BYTES, { mayTrim: false });
    const states = device.extents(0, GIB).map(({ state }) => state);
    expect(states).toEqual(['data', 'zero']);
    const found = Buffer.alloc(5000, 1);
    await device.read(0, found);
    expect(found.equals(Buffer.alloc(5000))).toBe(true);
  });

  it('waits for room when it overwrites frozen blocks faster than they are copied', async () => {
    volume.close();
    open(2);
    const original = randomBytes(4 * BLOCK_SIZE_BYTES);
    await device.write(0, Buffer.from(original));
    await volume.freeze({ snapshotId: 'snap-00000001', sizeGiB: 1, dataKey: null });
    const waiting = [0, 1, 2, 3].map((block) => device.write(block * BLOCK_SIZE_BYTES, Buffer.alloc(10)));
    expect(waiting.map((answer) => answer instanceof Promise)).toEqual([false, false, true, true]);
    const background = new BackgroundWork(volume, new AbortController().signal);
    while (background.isNeeded) await background.step();
    await Promise.all(waiting);
    const found = Buffer.alloc(10, 1);
    await device.read(3 * BLOCK_SIZE_BYTES, found);
    expect(found.equals(Buffer.alloc(10))).toBe(true);
  });

  it('reads what is still to be fetched though the disk is full, and writes once it is not', async () => {
    const content = randomBytes(3 * BLOCK_SIZE_BYTES);
    await device.write(0, Buffer.from(content));
    await volume.freeze({ snapshotId: 'snap-00000001', sizeGiB: 1, dataKey: null });
    const background = new BackgroundWork(volume, new AbortController().signal);
    while (background.isNeeded) await background.step();
    const volumeId = 'vol-00000002';
    const header = { format: 1, volumeId, sizeGiB: 1, dataKey: null, sourceSnapshotId: 'snap-00000001' } as const;
    createRestoredVolume(layout, header, layout.snapshot('snap-00000001').manifest);
    let full = false;
    const { data } = layout.volume(volumeId);
    const restored = new VolumeFile({
      layout,
      volumeId,
      sizeGiB: 1,
      store: new FolderBlockStore(layout.blocks),
      openFile: (path, mode) => {
        const file = openNodeFile(path, mode);
        if (path !== data) return file;
        const write = file.writeSync.bind(file);
        return Object.assign(file, {
          writeSync: (bytes: Buffer, offset: number) => {
            if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
            write(bytes, offset);
          },
        });
      },
    });
    const guest = new GuestDevice(restored, testCipher('guest'));
    const found = Buffer.alloc(2 * BLOCK_SIZE_BYTES);
    const start = 1_000; // Through parts of units, and a block that is here already.
    await guest.read(BLOCK_SIZE_BYTES, Buffer.alloc(1));
    full = true;
    await guest.read(start, found);
    expect(found.equals(content.subarray(start, start + found.length))).toBe(true);
    expect(restored.map.missing).toBe(2);
    await expect(guest.write(0, Buffer.alloc(10))).rejects.toMatchObject({ code: 'ENOSPC' });
    full = false;
    await guest.write(0, Buffer.from(content.subarray(0, 10)));
    await guest.read(0, found);
    expect(found.equals(content.subarray(0, found.length))).toBe(true);
    expect(restored.map.missing).toBe(1);
    restored.close();
  });
});

describe.skipIf(!directIoHere())('a guest past the page cache', () => {
  beforeEach(() => {
    volume.close();
    const store = new FolderBlockStore(layout.blocks);
    volume = new VolumeFile({ layout, volumeId: 'vol-00000001', sizeGiB: 1, store, io: 'direct' });
    device = new GuestDevice(volume, testCipher('guest'));
  });

  it('reads what it wrote, of parts of units too, and zeros elsewhere', async () => {
    const data = randomBytes(700_000);
    await device.write(1_001, Buffer.from(data));
    const found = Buffer.alloc(data.length + 5_000, 1);
    await device.read(0, found);
    expect(found.subarray(1_001, 1_001 + data.length).equals(data)).toBe(true);
    expect(found.subarray(0, 1_001).equals(Buffer.alloc(1_001))).toBe(true);
    expect(found.subarray(1_001 + data.length).equals(Buffer.alloc(5_000 - 1_001))).toBe(true);
    await device.trim(4_096, 65_536);
    await device.read(4_000, found.subarray(0, 70_000));
    expect(found.subarray(96, 96 + 65_536).equals(Buffer.alloc(65_536))).toBe(true);
    expect(
      found.subarray(96 + 65_536, 70_000).equals(data.subarray(65_536 + 4_096 - 1_001, 70_000 + 4_000 - 1_001)),
    ).toBe(true);
  });

  it('sees of a unit that is written during a read the new bytes, and never a mixture', async () => {
    const unit = (version: number) => Buffer.alloc(4_096, version);
    for (let version = 1; version < 200; version++) {
      const found = Buffer.alloc(3 * 4_096);
      const reading = device.read(0, found);
      await device.write(4_096, unit(version));
      await reading;
      expect(found.subarray(4_096, 8_192).equals(unit(version))).toBe(true);
      expect(found.subarray(8_192).equals(unit(0))).toBe(true);
    }
  });
});
