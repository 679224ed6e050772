import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openNodeFile, type OpenFile } from './backing-file.ts';
import { BlockJournal, readJournal } from './block-journal.ts';
import { FolderBlockStore } from './block-store.ts';
import { BlockUpload, createUpload, finishUpload, readUpload, requestCompletion } from './block-upload.ts';
import { collectGarbage } from './garbage.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { StoreLayout } from './layout.ts';
import { Manifest } from './manifest.ts';
import { FaultyBlockDevice, seededRandom } from './testing/faulty-block-device.ts';

const snapshotId = 'snap-0123456789abcdef0';
const header = { snapshotId, sizeGiB: 1, dataKey: null, parentSnapshotId: null };
const digestOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest();

let layout: StoreLayout;
beforeEach(() => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-upload-')));
  createUpload(layout.snapshot(snapshotId), { header, timeoutMinutes: 60 }, null);
});
afterEach(() => rmSync(layout.root, { recursive: true, force: true }));

describe('an upload', () => {
  it.each(Array.from({ length: 30 }, (_, at) => at + 1))('keeps what it answered when the power fails, seed %i', async (seed) => {
    const paths = layout.snapshot(snapshotId);
    const disk = new FaultyBlockDevice(seed);
    const random = seededRandom(seed);
    const store = { put: () => Promise.resolve(), settle: () => Promise.resolve(), get: () => Promise.reject(new Error()) };
    const upload = new BlockUpload(paths, header, store, disk.openFile);
    /** By block: the digests that it may have, from the last one answered on. */
    const allowed = new Map<number, Buffer[]>();
    const putSome = () =>
      Array.from({ length: Math.floor(random() * 40) }, async () => {
        const [block, digest] = [Math.floor(random() * 64), randomBytes(32)];
        allowed.set(block, [...(allowed.get(block) ?? []), digest]);
        await upload.put(block, Buffer.alloc(0), digest, digest);
        const versions = allowed.get(block) ?? [];
        allowed.set(block, versions.slice(versions.indexOf(digest)));
        answered.add(block);
      });
    const answered = new Set<number>();
    await Promise.all(putSome());
    const lost = Promise.allSettled(putSome());
    for (let turns = Math.floor(random() * 6); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
    const before = new Set(answered);
    const known = new Map([...allowed].map(([block, digests]) => [block, [...digests]]));
    disk.cutPower();
    await lost;
    for (const path of [paths.journal, paths.checksums]) {
      const { entries } = BlockJournal.open(path, disk.openFile);
      for (const block of before) {
        const found = entries.get(block);
        expect(found != null && known.get(block)?.some((digest) => digest.equals(found)), `block ${block}`).toBe(true);
      }
    }
  }); // prettier-ignore

  it('is never collected under its client, and is a snapshot once it is complete', async () => {
    const paths = layout.snapshot(snapshotId);
    const store = new FolderBlockStore(layout.blocks);
    const upload = new BlockUpload(paths, header, store);
    const blocks = [5, 1, 9].map((block) => [block, randomBytes(BLOCK_SIZE_BYTES)] as const);
    for (const [block, bytes] of blocks) await upload.put(block, bytes, digestOf(bytes), digestOf(bytes));
    expect(await collectGarbage(layout)).toMatchObject({ keptBlocks: 3 });
    await upload.close();
    const linear = digestOf(Buffer.concat([1, 5, 9].map((at) => digestOf(blocks.find(([block]) => block === at)?.[1] ?? Buffer.of()))));
    requestCompletion(paths, { changedBlocksCount: 3, checksum: linear.toString('base64') });
    requestCompletion(paths, { changedBlocksCount: 4, checksum: null });
    expect(readUpload(paths).completion?.changedBlocksCount).toBe(3);
    expect(finishUpload(paths)).toBeNull();
    expect([...Manifest.read(paths.manifest)].map(([block]) => block)).toEqual([1, 5, 9]);
    expect([paths.job, paths.journal, paths.checksums, paths.intent].filter((path) => existsSync(path))).toEqual([]);
  }); // prettier-ignore

  it('lets blocks settle while others are journalled, and journals none before it settled', async () => {
    const paths = layout.snapshot(snapshotId);
    const settling: (() => void)[] = [];
    const settle = () => new Promise<void>((resolve) => settling.push(resolve));
    const store = { put: () => Promise.resolve(), settle, get: () => Promise.reject(new Error()) };
    let endSync: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (endSync = resolve));
    const openFile: OpenFile = (path, mode) => {
      const file = openNodeFile(path, mode);
      file.sync = () => held;
      return file;
    };
    const upload = new BlockUpload(paths, header, store, openFile);
    const turn = () => new Promise((resolve) => setImmediate(resolve));
    const put = (block: number) =>
      upload.put(block, Buffer.of(), digestOf(Buffer.of(block)), digestOf(Buffer.of(block)));
    const first = put(1);
    await turn();
    expect(readJournal(paths.journal)).toEqual([]);
    settling.shift()?.();
    await turn();
    expect(readJournal(paths.journal)).toEqual([digestOf(Buffer.of(1))]);
    const second = put(2);
    await turn();
    expect(settling).toHaveLength(1);
    settling.shift()?.();
    endSync();
    await Promise.all([first, second]);
    await upload.close();
  });

  it('refuses blocks beyond its end and digests that are none', async () => {
    const upload = new BlockUpload(layout.snapshot(snapshotId), header, new FolderBlockStore(layout.blocks));
    const digest = randomBytes(32);
    for (const block of [-1, 2048, 0.5, NaN])
      await expect(upload.put(block, Buffer.of(), digest, digest)).rejects.toThrow(RangeError);
    await expect(upload.put(0, Buffer.of(), digest.subarray(1), digest)).rejects.toThrow(RangeError);
    await expect(upload.put(0, Buffer.alloc(1), digest, digest)).rejects.toThrow(RangeError);
    await upload.close();
    expect(readFileSync(layout.snapshot(snapshotId).journal).length).toBe(0);
  });
});
