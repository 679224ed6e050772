import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IntentFile, storeBlocks } from './background.ts';
import { BlockJournal } from './block-journal.ts';
import { openNodeFile } from './backing-file.ts';
import { BlockDamaged, blockPath, digestOf, FolderBlockStore } from './block-store.ts';
import { makeDirectory } from './durable-files.ts';
import { collectGarbage } from './garbage.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { StoreLayout } from './layout.ts';
import { Manifest } from './manifest.ts';

let layout: StoreLayout;
let store: FolderBlockStore;
beforeEach(() => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-store-')));
  store = new FolderBlockStore(layout.blocks);
});
afterEach(() => rmSync(layout.root, { recursive: true }));

const block = (): Buffer<ArrayBuffer> => {
  const bytes = Buffer.alloc(BLOCK_SIZE_BYTES);
  randomBytes(64).copy(bytes);
  return bytes;
};
const put = async (bytes = block()) => {
  const digest = await digestOf(bytes);
  await store.put(digest, bytes);
  await store.settle();
  return digest;
};
const fileOf = (digest: Buffer) => join(layout.blocks, blockPath(digest).folder, blockPath(digest).file);
const age = (digest: Buffer) => utimesSync(fileOf(digest), 1, 1);
const isThere = (digest: Buffer) => store.get(digest).then(
  () => true,
  () => false,
); // prettier-ignore
const snapshot = (id: string, digests: readonly Buffer[]) => {
  makeDirectory(layout.snapshot(id).folder);
  const header = { snapshotId: id, sizeGiB: 1, dataKey: null, parentSnapshotId: null };
  Manifest.of(
    header,
    digests.map((digest, index) => [index, digest] as const),
  ).write(layout.snapshot(id).manifest);
};

describe('the block store', () => {
  it('gives back what was put, once for equal bytes', async () => {
    const bytes = block();
    const digest = await put(bytes);
    await put(Buffer.from(bytes));
    expect((await store.get(digest)).equals(bytes)).toBe(true);
    expect(readdirSync(join(layout.blocks, blockPath(digest).folder))).toHaveLength(1);
  });

  it('serves no damaged, cut or missing block', async () => {
    const [damaged, cut, missing] = [await put(), await put(), await digestOf(block())];
    const altered = block();
    writeFileSync(fileOf(damaged), altered);
    truncateSync(fileOf(cut), 100);
    for (const digest of [damaged, cut, missing]) await expect(store.get(digest)).rejects.toThrow(BlockDamaged);
  });

  it('takes whole blocks only', async () => {
    await expect(store.put(randomBytes(32), Buffer.alloc(5))).rejects.toThrow(RangeError);
  });
});

describe('the collection of unused blocks', () => {
  it('removes what nothing names, and keeps what manifests, copies under way and restores name', async () => {
    const kept = await Promise.all(Array.from({ length: 5 }, () => put()));
    const unused = await put();
    snapshot('snap-00000001', [kept[0]!]);
    const job = layout.snapshot('snap-00000002');
    makeDirectory(job.folder);
    const journal = BlockJournal.open(job.journal, openNodeFile);
    journal.append([[5, kept[1]!]]);
    journal.close();
    new IntentFile(job.intent).announce([kept[2]!]);
    const header = { snapshotId: 'snap-00000003', sizeGiB: 1, dataKey: null, parentSnapshotId: null };
    Manifest.of(header, [[0, kept[3]!]]).write(job.base);
    makeDirectory(layout.volume('vol-00000001').folder);
    Manifest.of(header, [[0, kept[4]!]]).write(layout.volume('vol-00000001').source);
    for (const digest of [...kept, unused]) age(digest);
    expect(await collectGarbage(layout)).toEqual({ keptBlocks: 5, removedBlocks: 1 });
    for (const digest of kept) expect(await isThere(digest)).toBe(true);
    expect(await isThere(unused)).toBe(false);
  });

  it('keeps what is put while it runs, new or again', async () => {
    const contents = Array.from({ length: 60 }, () => block());
    const digests = await Promise.all(contents.map((bytes) => put(bytes)));
    for (let round = 0; round < 5; round++) {
      for (const digest of digests) age(digest);
      snapshot('snap-00000009', []);
      const job = layout.snapshot('snap-00000008');
      makeDirectory(job.folder);
      const journal = BlockJournal.open(job.journal, openNodeFile);
      const collecting = collectGarbage(layout);
      const intent = new IntentFile(job.intent);
      for (let at = 0; at < contents.length; at += 4) {
        const batch = contents.slice(at, at + 4).map((bytes, place) => [at + place, bytes] as const);
        journal.append(await storeBlocks(store, intent, batch));
      }
      await collecting;
      for (const digest of digests) expect(await isThere(digest)).toBe(true);
      journal.close();
      intent.close();
      rmSync(job.folder, { recursive: true });
    }
  });

  it('takes what a killed process left of a block, and leaves what one still writes', async () => {
    const digest = await put();
    const ended = spawnSync(process.execPath, ['--version']).pid;
    const left = [ended, process.pid].map((pid) => `${fileOf(digest)}.${pid}-0123456789ab.tmp`);
    for (const path of left) {
      writeFileSync(path, 'half');
      utimesSync(path, new Date(), new Date(Date.now() - 60_000));
    }
    await collectGarbage(layout);
    expect(left.map((path) => existsSync(path))).toEqual([false, true]);
  });

  it('never hides a block that it lays aside for a moment', async () => {
    const bytes = block();
    const digest = await put(bytes);
    makeDirectory(join(layout.blocks, 'trash'));
    renameSync(fileOf(digest), join(layout.blocks, 'trash', digest.toString('hex')));
    expect((await store.get(digest)).equals(bytes)).toBe(true);
    const target = Buffer.alloc(BLOCK_SIZE_BYTES);
    await store.getInto(digest, target);
    expect(target.equals(bytes)).toBe(true);
  });

  it('puts back what a collection that was killed had laid aside', async () => {
    const digest = await put();
    snapshot('snap-00000001', [digest]);
    makeDirectory(join(layout.blocks, 'trash'));
    const bytes = await store.get(digest);
    rmSync(fileOf(digest));
    writeFileSync(join(layout.blocks, 'trash', digest.toString('hex')), bytes);
    await collectGarbage(layout);
    expect(await isThere(digest)).toBe(true);
  });

  it('stops at a damaged manifest rather than take its blocks', async () => {
    const digest = await put();
    snapshot('snap-00000001', [digest]);
    truncateSync(layout.snapshot('snap-00000001').manifest, 50);
    age(digest);
    await expect(collectGarbage(layout)).rejects.toThrow();
    expect(await isThere(digest)).toBe(true);
  });
});
