import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  lutimesSync,
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
import { IntentFile, storeBlocks } from '../background.ts';
import { BlockJournal } from '../block-journal.ts';
import { openNodeFile } from '../backing-file.ts';
import { blockPath } from '../block-index.ts';
import { BlockDamaged, digestOf, type DirectBlockStore } from '../block-store.ts';
import { makeDirectory } from '../durable-files.ts';
import { collectGarbage } from '../garbage.ts';
import { BLOCK_SIZE_BYTES } from '../geometry.ts';
import { StoreLayout } from '../layout.ts';
import { Manifest } from '../manifest.ts';
import type { ObjectStore } from '../object-store.ts';
import { isLoss, verifyStore } from '../verify.ts';

/** One block store that the suite is run on. */
export interface SuiteStore {
  /** A second one of the same layout is another process's. */
  open(layout: StoreLayout): DirectBlockStore;
  /** Where its segments are, if it has any. */
  readonly objects?: ObjectStore;
  /** Changes or cuts what is stored of a block behind the store's back. */
  damage(layout: StoreLayout, digest: Buffer, how: 'alter' | 'cut' | 'remove'): Promise<void>;
  close?(): Promise<void>;
}

export const newBlock = (): Buffer<ArrayBuffer> => {
  const bytes = Buffer.alloc(BLOCK_SIZE_BYTES);
  randomBytes(64).copy(bytes);
  return bytes;
};

export const writeSnapshot = (layout: StoreLayout, id: string, digests: readonly Buffer[]): void => {
  makeDirectory(layout.snapshot(id).folder);
  const header = { snapshotId: id, sizeGiB: 1, dataKey: null, parentSnapshotId: null };
  const blocks = digests.map((digest, index) => [index, digest] as const);
  Manifest.of(header, blocks).write(layout.snapshot(id).manifest);
};

export const entryOf = (layout: StoreLayout, digest: Buffer): string =>
  join(layout.blocks, blockPath(digest).folder, blockPath(digest).file);

/** As if it had been put long ago. */
export const ageEntry = (layout: StoreLayout, digest: Buffer): void => lutimesSync(entryOf(layout, digest), 1, 1);

/** What every block store does, and its collector, whatever it is made of. */
export const blockStoreSuite = (name: string, begin: (layout: StoreLayout) => Promise<SuiteStore>): void => {
  let layout: StoreLayout;
  let suite: SuiteStore;
  let store: DirectBlockStore;
  beforeEach(async () => {
    layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-store-')));
    suite = await begin(layout);
    store = suite.open(layout);
  });
  afterEach(async () => {
    await suite.close?.();
    rmSync(layout.root, { recursive: true });
  });

  const put = async (bytes = newBlock()) => {
    const digest = await digestOf(bytes);
    await store.put(digest, bytes);
    await store.settle();
    return digest;
  };
  const isThere = (digest: Buffer) => store.get(digest).then(() => true, () => false); // prettier-ignore
  const collect = async () => {
    const { keptBlocks, removedBlocks } = await collectGarbage(layout, suite.objects);
    return { keptBlocks, removedBlocks };
  };

  describe(`the block store in ${name}`, () => {
    it('gives back what was put, once for equal bytes', async () => {
      const bytes = newBlock();
      const digest = await put(bytes);
      await put(Buffer.from(bytes));
      expect((await store.get(digest)).equals(bytes)).toBe(true);
      const target = Buffer.alloc(BLOCK_SIZE_BYTES);
      await suite.open(layout).getInto(digest, target);
      expect(target.equals(bytes)).toBe(true);
      expect(readdirSync(join(layout.blocks, blockPath(digest).folder))).toHaveLength(1);
    });

    it('serves no damaged, cut or missing block', async () => {
      const digests = [await put(), await put(), await put(), await digestOf(newBlock())];
      for (const [at, how] of (['alter', 'cut', 'remove'] as const).entries())
        await suite.damage(layout, digests[at]!, how);
      for (const digest of digests) {
        await expect(store.get(digest)).rejects.toThrow(BlockDamaged);
        await expect(store.getInto(digest, Buffer.alloc(BLOCK_SIZE_BYTES))).rejects.toThrow(BlockDamaged);
      }
    });

    it('takes whole blocks only', async () => {
      await expect(store.put(randomBytes(32), Buffer.alloc(5))).rejects.toThrow(RangeError);
    });

    it('takes many at once, from several processes, and gives them back in any order', async () => {
      const other = suite.open(layout);
      const contents = Array.from({ length: 80 }, () => newBlock());
      const digests = await Promise.all(contents.map((bytes) => digestOf(bytes)));
      const putAll = async (into: DirectBlockStore, from: number) => {
        await Promise.all(contents.slice(from).map((bytes, at) => into.put(digests[from + at]!, bytes)));
        await into.settle();
      };
      await Promise.all([putAll(store, 0), putAll(other, 30)]);
      const found = await Promise.all([...contents.keys()].reverse().map((at) => suite.open(layout).get(digests[at]!)));
      expect(found.reverse().every((bytes, at) => bytes.equals(contents[at]!))).toBe(true);
    });

    it('is verified: whole, damaged and missing blocks, and what only takes room', async () => {
      const [whole, altered, removed, unused] = [await put(), await put(), await put(), await put()];
      writeSnapshot(layout, 'snap-00000001', [whole, altered, removed]);
      for (const digest of [whole, altered, removed, unused]) ageEntry(layout, digest);
      const first = await verifyStore(layout, suite.objects);
      expect(first.blocks).toBe(4);
      expect(first.findings.map(({ kind, subject }) => [kind, subject])).toEqual([
        ['unreferenced-block', unused.toString('hex')],
      ]);
      await suite.damage(layout, altered, 'alter');
      await suite.damage(layout, removed, 'remove');
      const { findings } = await verifyStore(layout, suite.objects);
      const lost = findings.filter(isLoss).map(({ kind, subject, owners }) => [kind, subject, ...owners]);
      expect(lost.sort()).toEqual([
        ['block-damaged', altered.toString('hex'), 'snap-00000001'],
        ['block-missing', removed.toString('hex'), 'snap-00000001'],
      ]);
    });
  });

  describe(`the collection of unused blocks in ${name}`, () => {
    it('removes what nothing names, and keeps what manifests, copies under way and restores name', async () => {
      const kept = await Promise.all(Array.from({ length: 5 }, () => put()));
      const unused = await put();
      writeSnapshot(layout, 'snap-00000001', [kept[0]!]);
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
      for (const digest of [...kept, unused]) ageEntry(layout, digest);
      expect(await collect()).toEqual({ keptBlocks: 5, removedBlocks: 1 });
      for (const digest of kept) expect(await isThere(digest)).toBe(true);
      expect(await isThere(unused)).toBe(false);
    });

    it('keeps what is put while it runs, new or again', async () => {
      const contents = Array.from({ length: 32 }, () => newBlock());
      const digests = await Promise.all(contents.map((bytes) => put(bytes)));
      for (let round = 0; round < 4; round++) {
        for (const digest of digests) ageEntry(layout, digest);
        writeSnapshot(layout, 'snap-00000009', []);
        const job = layout.snapshot('snap-00000008');
        makeDirectory(job.folder);
        const journal = BlockJournal.open(job.journal, openNodeFile);
        const collecting = collectGarbage(layout, suite.objects);
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

    it('takes what a killed process left of an entry, and leaves what one still writes', async () => {
      const digest = await put();
      const ended = spawnSync(process.execPath, ['--version']).pid;
      const left = [ended, process.pid].map((pid) => `${entryOf(layout, digest)}.${pid}-0123456789ab.tmp`);
      for (const path of left) {
        writeFileSync(path, 'half');
        utimesSync(path, new Date(), new Date(Date.now() - 60_000));
      }
      await collect();
      expect(left.map((path) => existsSync(path))).toEqual([false, true]);
    });

    it('never hides a block that it lays aside for a moment', async () => {
      const bytes = newBlock();
      const digest = await put(bytes);
      makeDirectory(join(layout.blocks, 'trash'));
      renameSync(entryOf(layout, digest), join(layout.blocks, 'trash', digest.toString('hex')));
      expect((await store.get(digest)).equals(bytes)).toBe(true);
      const target = Buffer.alloc(BLOCK_SIZE_BYTES);
      await store.getInto(digest, target);
      expect(target.equals(bytes)).toBe(true);
    });

    it('puts back what a collection that was killed had laid aside', async () => {
      const digest = await put();
      writeSnapshot(layout, 'snap-00000001', [digest]);
      makeDirectory(join(layout.blocks, 'trash'));
      renameSync(entryOf(layout, digest), join(layout.blocks, 'trash', digest.toString('hex')));
      await collect();
      expect(existsSync(join(layout.blocks, 'trash', digest.toString('hex')))).toBe(false);
      expect(await isThere(digest)).toBe(true);
    });

    it('stops at a damaged manifest rather than take its blocks', async () => {
      const digest = await put();
      writeSnapshot(layout, 'snap-00000001', [digest]);
      truncateSync(layout.snapshot('snap-00000001').manifest, 50);
      ageEntry(layout, digest);
      await expect(collect()).rejects.toThrow();
      expect(await isThere(digest)).toBe(true);
    });
  });
};
