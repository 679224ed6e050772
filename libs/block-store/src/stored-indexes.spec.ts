import { mkdtempSync, readFileSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestOf } from './digests.ts';
import { collectGarbage } from './garbage.ts';
import { StoreLayout } from './layout.ts';
import { Manifest, ManifestDamaged } from './manifest.ts';
import { rebuildIndex } from './rebuild-index.ts';
import { SegmentBlockStore } from './segment-block-store.ts';
import { claimStore, takeOverStore } from './store-claim.ts';
import { getIndex, indexHere, indexOfKey, isWhole, listIndexes, putIndex, removeIndexes } from './stored-indexes.ts';
import { ageEntry, newBlock, writeSnapshot } from './testing/block-store-suite.ts';
import { MemoryObjects } from './testing/memory-objects.ts';
import { isLoss, verifyStore } from './verify.ts';

const ID = 'snap-00000001';
let layout: StoreLayout;
let objects: MemoryObjects;
const roots: string[] = [];
const newHome = () => {
  roots.push(mkdtempSync(join(tmpdir(), 'holdfast-indexes-')));
  return new StoreLayout(roots.at(-1)!);
};
beforeEach(async () => {
  layout = newHome();
  objects = new MemoryObjects();
  await claimStore(objects, layout.claim);
});
afterEach(() => roots.splice(0).forEach((root) => rmSync(root, { recursive: true })));

const indexKeys = () => [...objects.objects.keys()].filter((key) => key.startsWith('snapshots/')).sort();

/** A snapshot of three blocks, here and in the store. */
const snapshot = async (id = ID) => {
  const store = new SegmentBlockStore(layout.blocks, objects);
  const contents = [newBlock(), newBlock(), newBlock()];
  const digests = await Promise.all(contents.map((bytes) => digestOf(bytes)));
  await Promise.all(contents.map((bytes, at) => store.put(digests[at]!, bytes)));
  await store.settle();
  writeSnapshot(layout, id, digests);
  utimesSync(layout.snapshot(id).manifest, 1, 1);
  await putIndex(objects, id, 'manifest', indexHere(layout.snapshot(id), id, 'manifest')!);
  return { contents, digests };
};

it('is told by its key, and nothing else is', () => {
  const key = `snapshots/${ID}/manifest-2-3`;
  expect(indexOfKey(key)).toEqual({ snapshotId: ID, kind: 'manifest', part: 2, parts: 3 });
  const bad = ['manifest-0-3', 'manifest-4-3', 'manifest-02-3', 'manifest-1-99999999', 'spill-1-1', 'manifest-1'];
  for (const name of bad) expect(indexOfKey(`snapshots/${ID}/${name}`)).toBeNull();
  for (const other of ['snapshots/../manifest-1-1', 'snapshots/vol-00000001/manifest-1-1', `x${key}`, `${key}/`])
    expect(indexOfKey(other)).toBeNull();
});

it('goes into several objects if it is large, and counts only when all of them are there', async () => {
  const digest = await digestOf(Buffer.of(1));
  const blocks = Array.from({ length: 950_000 }, (_, at) => [at, digest] as const);
  const paths = layout.snapshot(ID);
  writeSnapshot(layout, ID, []);
  Manifest.of({ snapshotId: ID, sizeGiB: 500, dataKey: null, parentSnapshotId: null }, blocks).write(paths.manifest);
  const bytes = indexHere(paths, ID, 'manifest')!;
  await putIndex(objects, ID, 'manifest', bytes);
  expect(indexKeys()).toEqual([`snapshots/${ID}/manifest-1-2`, `snapshots/${ID}/manifest-2-2`]);
  const [whole] = await listIndexes(objects);
  expect([isWhole(whole!), whole!.sizeBytes]).toEqual([true, bytes.length]);
  expect((await getIndex(objects, whole!)).equals(bytes)).toBe(true);
  objects.objects.delete(`snapshots/${ID}/manifest-1-2`);
  const [half] = await listIndexes(objects, ID);
  expect(isWhole(half!)).toBe(false);
  await expect(getIndex(objects, half!)).rejects.toThrow(ManifestDamaged);
  await removeIndexes(objects, [half!]);
  expect(indexKeys()).toEqual([]);
});

it('is not put from a file that is damaged or another snapshot’s', async () => {
  await snapshot();
  const paths = layout.snapshot(ID);
  expect(() => indexHere(paths, 'snap-00000002', 'manifest')).toThrow(ManifestDamaged);
  truncateSync(paths.manifest, 60);
  expect(() => indexHere(paths, ID, 'manifest')).toThrow(ManifestDamaged);
  expect(indexHere(paths, ID, 'archive')).toBeNull();
});

it('brings all snapshots to a host that takes the place of one that is gone', async () => {
  const { contents, digests } = await snapshot();
  const before = readFileSync(layout.snapshot(ID).manifest);
  const later = newHome();
  await expect(rebuildIndex(later, objects)).rejects.toThrow('has not taken');
  await takeOverStore(objects, later.claim);
  const claim = objects.objects.get('holdfast.json')!.toString();
  await takeOverStore(objects, later.claim);
  expect(objects.objects.get('holdfast.json')!.toString()).toBe(claim);
  expect(await rebuildIndex(later, objects)).toEqual({ segments: 1, blocks: 3, snapshots: [ID], damaged: [] });
  expect(readFileSync(later.snapshot(ID).manifest).equals(before)).toBe(true);
  const store = new SegmentBlockStore(later.blocks, objects);
  for (const [at, digest] of digests.entries()) expect((await store.get(digest)).equals(contents[at]!)).toBe(true);
  expect((await verifyStore(later, objects)).findings).toEqual([]);
  // Again, for what was interrupted; and the one that is gone removes nothing, should it come back.
  expect((await rebuildIndex(later, objects)).snapshots).toEqual([]);
  await expect(collectGarbage(layout, objects)).rejects.toThrow('another host');
  await expect(rebuildIndex(layout, objects)).rejects.toThrow('another host');
});

it('is restored where it was damaged here, told where it is damaged there, and not for what was deleted', async () => {
  await snapshot();
  await snapshot('snap-00000002');
  await snapshot('snap-00000003');
  truncateSync(layout.snapshot(ID).manifest, 60);
  rmSync(layout.snapshot('snap-00000002').folder, { recursive: true });
  objects.objects.set('snapshots/snap-00000002/manifest-1-1', Buffer.alloc(100));
  writeFileSync(layout.snapshot('snap-00000003').removed, '');
  rmSync(layout.snapshot('snap-00000003').manifest);
  const rebuilt = await rebuildIndex(layout, objects);
  expect(rebuilt.snapshots).toEqual([ID]);
  expect(rebuilt.damaged).toEqual(['snapshots/snap-00000002/manifest-1-1']);
  expect(Manifest.read(layout.snapshot(ID).manifest).length).toBe(3);
});

it('is verified: damaged, lost here, and not there', async () => {
  await snapshot();
  await snapshot('snap-00000002');
  await snapshot('snap-00000003');
  expect((await verifyStore(layout, objects)).findings).toEqual([]);
  objects.objects.delete(`snapshots/${ID}/manifest-1-1`);
  rmSync(layout.snapshot('snap-00000002').folder, { recursive: true });
  objects.objects.set('snapshots/snap-00000003/manifest-1-1', Buffer.alloc(100));
  objects.objects.set(`snapshots/${ID}/archive-1-2`, Buffer.alloc(100));
  const { findings } = await verifyStore(layout, objects);
  const told = findings.map((finding) => `${finding.kind} ${finding.owners.join()} ${String(isLoss(finding))}`);
  expect(told.filter((line) => !line.startsWith('unreferenced')).sort()).toEqual([
    'index-damaged snap-00000003 true',
    `index-not-stored ${ID} false`,
    'index-unknown snap-00000002 true',
    `stray-file ${ID} false`,
  ]);
});

it('no segment is removed by a host that has lost entries of its index', async () => {
  const { digests } = await snapshot();
  for (const digest of digests) ageEntry(layout, digest);
  rmSync(layout.blocks, { recursive: true });
  await expect(collectGarbage(layout, objects)).rejects.toThrow('reindex');
  await rebuildIndex(layout, objects);
  expect((await collectGarbage(layout, objects)).keptBlocks).toBe(3);
});
