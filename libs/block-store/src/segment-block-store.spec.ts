import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { restoreArchive, writeArchive } from './archive.ts';
import { BackgroundWork } from './background.ts';
import { digestOf, FolderBlockStore } from './block-store.ts';
import { placeOfEntry, writingFolder } from './block-index.ts';
import { makeDirectory } from './durable-files.ts';
import { collectGarbage } from './garbage.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { StoreLayout } from './layout.ts';
import { Manifest } from './manifest.ts';
import { StoreUnavailable } from './object-store.ts';
import { rebuildIndex } from './rebuild-index.ts';
import { RetryingObjects } from './retrying-objects.ts';
import { SegmentBlockStore } from './segment-block-store.ts';
import { claimStore } from './store-claim.ts';
import { ageEntry, entryOf, newBlock, writeSnapshot } from './testing/block-store-suite.ts';
import { damageInSegment } from './testing/damage-in-segment.ts';
import { seededRandom } from './testing/faulty-block-device.ts';
import { FaultyObjects } from './testing/faulty-objects.ts';
import { MemoryObjects } from './testing/memory-objects.ts';
import { GuestDevice } from './guest-device.ts';
import { isLoss, verifyStore } from './verify.ts';
import { VolumeFile } from './volume-file.ts';
import { createEmptyVolume } from './volume-header.ts';

const quick = { totalMs: 10_000, firstDelayMs: 0.1, lastDelayMs: 1 };
let layout: StoreLayout;
let objects: MemoryObjects;
let store: SegmentBlockStore;
beforeEach(async () => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-segments-')));
  objects = new MemoryObjects();
  store = new SegmentBlockStore(layout.blocks, objects);
  await claimStore(objects, layout.claim);
});
afterEach(() => rmSync(layout.root, { recursive: true }));

const putAll = async (count: number, into: SegmentBlockStore | FolderBlockStore = store) => {
  const contents = Array.from({ length: count }, () => newBlock());
  const digests = await Promise.all(contents.map((bytes) => digestOf(bytes)));
  for (const [at, bytes] of contents.entries()) await into.put(digests[at]!, bytes);
  await into.settle();
  return digests.map((digest, at) => ({ digest, bytes: contents[at]! }));
};
const segments = () => [...objects.objects.keys()].filter((key) => key.startsWith('segments/')).sort();
const segmentsNamed = async (digests: readonly Buffer[]) =>
  new Set(await Promise.all(digests.map(async (digest) => (await placeOfEntry(entryOf(layout, digest)))?.segment)));
const expectThere = async (blocks: readonly { digest: Buffer; bytes: Buffer }[], from = store) => {
  for (const { digest, bytes } of blocks) expect((await from.get(digest)).equals(bytes)).toBe(true);
};

describe('requests', () => {
  it('are one for many blocks: written together, and read together or one after the other', async () => {
    const blocks = await putAll(64);
    expect(segments()).toHaveLength(1);
    const before = objects.counts.get;
    await Promise.all(blocks.map(({ digest }) => store.get(digest)));
    // Two, where nothing keeps the index from being read in one turn of the event loop.
    const together = objects.counts.get - before;
    expect(together).toBeLessThanOrEqual(16);
    await expectThere(blocks, new SegmentBlockStore(layout.blocks, objects));
    expect(objects.counts.get - before - together).toBeLessThanOrEqual(8);
  });

  it('are few when blocks are put one by one by many at once', async () => {
    await Promise.all(Array.from({ length: 40 }, () => putAll(1)));
    expect(objects.counts.put - 1).toBeLessThan(40);
    expect(readdirSync(writingFolder(layout.blocks))).toEqual([]);
  });
});

describe('a store that fails', () => {
  it.each([1, 2])('loses nothing that was settled, seed %i', async (seed) => {
    const faults = { drops: 0.1, errors: 0.1, lostAnswers: 0.1, duplicates: 0.1, cutBodies: 0.1 };
    const faulty = new FaultyObjects(objects, seed, faults);
    const random = seededRandom(seed);
    const retrying = new RetryingObjects(faulty, { ...quick, random });
    const bad = new SegmentBlockStore(layout.blocks, retrying);
    const kept = (await Promise.all([putAll(20, bad), putAll(3, bad), putAll(66, bad)])).flat();
    writeSnapshot(layout, 'snap-00000001', kept.map(({ digest }) => digest)); // prettier-ignore
    await putAll(5, bad);
    for (let round = 0; round < 3; round++) await collectGarbage(layout, retrying);
    await expectThere(kept, new SegmentBlockStore(layout.blocks, retrying));
    const { findings } = await verifyStore(layout, objects);
    expect(findings.filter(isLoss)).toEqual([]);
  });

  it('is waited for in bounds, then told; what was not durable has no entry, and is tried again', async () => {
    const faulty = new FaultyObjects(objects, 1);
    const retrying = new RetryingObjects(faulty, { ...quick, totalMs: 50 });
    const bad = new SegmentBlockStore(layout.blocks, retrying);
    const bytes = newBlock();
    const digest = await digestOf(bytes);
    faulty.isAway = true;
    await bad.put(digest, bytes);
    await expect(bad.settle()).rejects.toThrow(StoreUnavailable);
    expect(existsSync(entryOf(layout, digest)) || segments().length > 0).toBe(false);
    // Bounded memory: what is not durable fills some segments, and then who puts is told.
    await expect(putAll(300, bad)).rejects.toThrow(StoreUnavailable);
    faulty.isAway = false;
    await bad.settle();
    expect((await store.get(digest)).equals(bytes)).toBe(true);
  });

  it('leaves an object of a lost answer to its writer while that lives, and to the collector afterwards', async () => {
    const faulty = new FaultyObjects(objects, 1, { lostAnswers: 1 });
    const bad = new SegmentBlockStore(layout.blocks, faulty);
    const bytes = newBlock();
    const digest = await digestOf(bytes);
    await bad.put(digest, bytes);
    await expect(bad.settle()).rejects.toThrow(StoreUnavailable);
    await collectGarbage(layout, objects);
    expect(segments()).toHaveLength(1);
    faulty.faults = {};
    await bad.settle();
    expect((await store.get(digest)).equals(bytes)).toBe(true);
    // As a process leaves it that is killed between the object and its entries.
    const [segment] = await segmentsNamed([digest]);
    writeFileSync(join(writingFolder(layout.blocks), segment!), '1 0');
    rmSync(entryOf(layout, digest));
    await collectGarbage(layout, objects);
    expect(segments()).toEqual([]);
    expect(readdirSync(writingFolder(layout.blocks))).toEqual([]);
  });
});

describe('the collection of segments', () => {
  const snapshotOf = (id: string, blocks: readonly { digest: Buffer }[]) =>
    writeSnapshot(layout, id, blocks.map(({ digest }) => digest)); // prettier-ignore
  const ageAll = (blocks: readonly { digest: Buffer }[]) => {
    for (const { digest } of blocks) if (lstatSync(entryOf(layout, digest), { throwIfNoEntry: false })) ageEntry(layout, digest);
  }; // prettier-ignore

  it('removes unused ones, keeps used ones, and writes hardly used ones again', async () => {
    const [unused, used, sparse] = [await putAll(10), await putAll(40), await putAll(30)];
    snapshotOf('snap-00000001', [...used, ...sparse.slice(7, 15)]);
    ageAll([...unused, ...used, ...sparse]);
    const { segments: swept } = await collectGarbage(layout, objects);
    expect(swept).toEqual({ removedSegments: 2, movedBlocks: 8, isMoreToMove: false });
    expect(segments().map((key) => key.slice(-2))).toEqual(expect.arrayContaining(['28', '08']));
    await expectThere([...used, ...sparse.slice(7, 15)]);
    expect((await collectGarbage(layout, objects)).segments?.movedBlocks).toBe(0);
    rmSync(layout.snapshot('snap-00000001').folder, { recursive: true });
    ageAll([...used, ...sparse]);
    await collectGarbage(layout, objects);
    expect(segments()).toEqual([]);
  });

  it('joins small ones once they fill a whole one', async () => {
    const blocks = (await Promise.all(Array.from({ length: 9 }, () => putAll(1)))).flat();
    for (let many = 0; many < 6; many++) blocks.push(...(await putAll(10)));
    snapshotOf('snap-00000001', blocks);
    await collectGarbage(layout, objects);
    expect(segments().map((key) => key.slice(-2)).sort()).toEqual(['05', '40']); // prettier-ignore
    await expectThere(blocks);
    expect((await collectGarbage(layout, objects)).segments?.movedBlocks).toBe(0);
  });

  it('hides no block from who reads it while it is moved', async () => {
    const sparse = await putAll(20);
    const kept = sparse.slice(0, 6);
    snapshotOf('snap-00000001', kept);
    ageAll(sparse);
    let isCollected = false;
    const collecting = collectGarbage(layout, objects).finally(() => (isCollected = true));
    while (!isCollected) await expectThere(kept, new SegmentBlockStore(layout.blocks, objects));
    expect((await collecting).segments).toMatchObject({ removedSegments: 1, movedBlocks: 6 });
    await expectThere(kept);
  });

  it('leaves a damaged block where it is', async () => {
    const sparse = await putAll(20);
    snapshotOf('snap-00000001', sparse.slice(0, 3));
    ageAll(sparse);
    await damageInSegment(objects, layout, sparse[1]!.digest, 'alter');
    await collectGarbage(layout, objects);
    expect((await segmentsNamed([sparse[1]!.digest])).size).toBe(1);
    await expectThere([sparse[0]!, sparse[2]!]);
    const { findings } = await verifyStore(layout, objects);
    expect(findings.filter(isLoss)).toMatchObject([{ kind: 'block-damaged', subject: sparse[1]!.digest.toString('hex') }]);
  }); // prettier-ignore

  it('brings blocks of the folder into segments, while they are read', async () => {
    const folder = new FolderBlockStore(layout.blocks);
    const blocks = await putAll(20, folder);
    snapshotOf('snap-00000001', blocks);
    await expectThere(blocks);
    let isCollected = false;
    const collecting = collectGarbage(layout, objects).finally(() => (isCollected = true));
    while (!isCollected) await expectThere(blocks.slice(0, 5));
    expect((await collecting).segments?.movedBlocks).toBe(20);
    expect(blocks.every(({ digest }) => lstatSync(entryOf(layout, digest)).isSymbolicLink())).toBe(true);
    await expectThere(blocks);
  });

  it('removes nothing in a place that is not its host’s', async () => {
    const blocks = await putAll(2);
    ageAll(blocks);
    const other = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-segments-')));
    await expect(claimStore(objects, other.claim)).rejects.toThrow('another host');
    makeDirectory(other.blocks);
    await expect(collectGarbage(other, objects)).rejects.toThrow('another host');
    await claimStore(objects, layout.claim);
    objects.objects.delete('holdfast.json');
    await expect(collectGarbage(layout, objects)).rejects.toThrow('has lost its');
    expect(segments()).toHaveLength(1);
    rmSync(other.root, { recursive: true });
  });
});

describe('what is in the segments', () => {
  it('makes the index anew', async () => {
    const blocks = await putAll(70);
    for (const { digest } of blocks.slice(10)) rmSync(entryOf(layout, digest));
    expect(await rebuildIndex(layout, objects)).toEqual({ segments: 2, blocks: 70, snapshots: [], damaged: [] });
    await expectThere(blocks);
    objects.objects.set(segments()[0]!, Buffer.alloc(10_000));
    expect((await rebuildIndex(layout, objects)).damaged).toEqual([segments()[0]]);
  });

  it('is verified: segments that nothing names and objects that are not ours only take room', async () => {
    const [block] = await putAll(1);
    objects.objects.set('notes.txt', Buffer.alloc(1));
    rmSync(entryOf(layout, block!.digest));
    const { findings } = await verifyStore(layout, objects);
    expect(findings.map(({ kind, subject }) => [kind, subject])).toEqual([
      ['unreferenced-segment', `s3://memory/test/${segments()[0]!}`],
      ['stray-file', 's3://memory/test/notes.txt'],
    ]);
    expect(findings.some(isLoss)).toBe(false);
  });

  it('goes to an archive and comes back', async () => {
    const blocks = await putAll(40);
    const paths = layout.snapshot('snap-00000001');
    writeSnapshot(layout, 'snap-00000001', blocks.map(({ digest }) => digest)); // prettier-ignore
    const work = { signal: new AbortController().signal, onProgress: () => undefined };
    const { readFileSync } = await import('node:fs');
    await writeArchive(paths, readFileSync(paths.manifest), store, work);
    rmSync(paths.manifest);
    await collectGarbage(layout, objects);
    expect(segments()).toEqual([]);
    await restoreArchive(paths, new SegmentBlockStore(layout.blocks, objects), work);
    await expectThere(blocks);
  });
});

it('a chain of snapshots of a volume stays whole whichever of them is removed', async () => {
  createEmptyVolume(layout, { format: 1, volumeId: 'vol-00000001', sizeGiB: 1, dataKey: null, sourceSnapshotId: null });
  const volume = new VolumeFile({ layout, volumeId: 'vol-00000001', sizeGiB: 1, store });
  const device = new GuestDevice(volume, null);
  const work = new BackgroundWork(volume, new AbortController().signal);
  const random = seededRandom(9);
  const taken = new Map<string, Buffer[]>();
  const content = Array.from({ length: 12 }, () => newBlock());
  for (let at = 0; at < 12; at++) await device.write(at * BLOCK_SIZE_BYTES, content[at]!);
  for (let number = 1; number <= 5; number++) {
    const at = Math.floor(random() * 12);
    content[at] = newBlock();
    await device.write(at * BLOCK_SIZE_BYTES, content[at]);
    const snapshotId = `snap-0000000${number}`;
    await volume.freeze({ snapshotId, sizeGiB: 1, dataKey: null });
    while (work.isNeeded) await work.step();
    taken.set(snapshotId, [...content]);
  }
  expect(objects.counts.put - 1).toBe(5);
  for (const removed of ['snap-00000003', 'snap-00000001', 'snap-00000005']) {
    rmSync(layout.snapshot(removed).folder, { recursive: true });
    taken.delete(removed);
    await collectGarbage(layout, objects);
    for (const [snapshotId, expected] of taken) {
      for (const [block, digest] of Manifest.read(layout.snapshot(snapshotId).manifest))
        expect((await store.get(digest)).equals(expected[block]!)).toBe(true);
    }
  }
  volume.close();
});
