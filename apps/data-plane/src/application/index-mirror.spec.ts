import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  claimStore,
  digestOf,
  listIndexes,
  makeDirectory,
  Manifest,
  rebuildIndex,
  SegmentBlockStore,
  StoreLayout,
  StoreUnavailable,
  takeOverStore,
} from '@holdfast/block-store';
import { MemoryObjects, newBlock } from '@holdfast/block-store/testing';
import { newSnapshotId, type SnapshotId } from '@holdfast/contracts';
import { createLogger } from '@holdfast/service-kit';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Archives } from './archives.ts';
import type { HostTasks } from './host-tasks.ts';
import { IndexMirror, UnknownSnapshots } from './index-mirror.ts';
import { Snapshots, type UploadWork } from './snapshots.ts';

class LosableObjects extends MemoryObjects {
  isAway = false;
  override put(...args: Parameters<MemoryObjects['put']>): Promise<boolean> {
    return this.isAway ? Promise.reject(away()) : super.put(...args);
  }
  override remove(keys: readonly string[]): Promise<void> {
    return this.isAway ? Promise.reject(away()) : super.remove(keys);
  }
}
const away = () => new StoreUnavailable('it is away', { isTransient: true });

const logger = createLogger({ name: 'test', level: 'silent' });
let layout: StoreLayout;
let objects: LosableObjects;
let started: Snapshots[];

const host = (of = layout) => {
  const mirror = new IndexMirror(objects, of, logger);
  const snapshots = new Snapshots(of, {} as HostTasks, logger, {} as UploadWork, mirror);
  started.push(snapshots);
  const archives = new Archives(
    of,
    () => new SegmentBlockStore(of.blocks, objects),
    logger,
    () => snapshots.collect(),
    mirror,
  );
  return { mirror, snapshots, archives };
};

beforeEach(async () => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-mirror-')));
  for (const folder of [layout.volumes, layout.blocks, layout.snapshots]) makeDirectory(folder);
  objects = new LosableObjects();
  started = [];
  await claimStore(objects, layout.claim);
});
afterEach(async () => {
  await Promise.all(started.map((snapshots) => snapshots.close()));
  rmSync(layout.root, { recursive: true, force: true });
});

const soon = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 60_000, interval: 20 });
const stored = async () => (await listIndexes(objects)).map(({ snapshotId, kind }) => `${snapshotId}/${kind}`).sort();
const segments = () => [...objects.objects.keys()].filter((key) => key.startsWith('segments/'));

/** Complete on the disk of the host, as a process that copied it leaves it. */
const copied = async (): Promise<{ snapshotId: SnapshotId; bytes: Buffer; digest: Buffer }> => {
  const bytes = newBlock();
  const digest = await digestOf(bytes);
  const store = new SegmentBlockStore(layout.blocks, objects);
  await store.put(digest, bytes);
  await store.settle();
  const snapshotId = newSnapshotId();
  const paths = layout.snapshot(snapshotId);
  makeDirectory(paths.folder);
  Manifest.of({ snapshotId, sizeGiB: 1, dataKey: null, parentSnapshotId: null }, [[0, digest]]).write(paths.manifest);
  return { snapshotId, bytes, digest };
};

it('a snapshot is complete when its block index is in the store, and not before', async () => {
  const { snapshotId } = await copied();
  const { snapshots } = host();
  objects.isAway = true;
  expect(snapshots.progress(snapshotId)).toEqual({ state: 'copying', progress: 99 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(snapshots.progress(snapshotId).state).toBe('copying');
  objects.isAway = false;
  await soon(() => expect(snapshots.progress(snapshotId).state).toBe('completed'));
  expect(await stored()).toEqual([`${snapshotId}/manifest`]);
});

it('snapshots of before are put there by the collection, and what was taken away there is put again', async () => {
  const { snapshotId } = await copied();
  const { mirror } = host();
  for (let round = 0; round < 2; round++) {
    await mirror.reconcile();
    expect(await stored()).toEqual([`${snapshotId}/manifest`]);
    const { put } = objects.counts;
    await mirror.reconcile();
    expect(objects.counts.put).toBe(put);
    objects.objects.delete(`snapshots/${snapshotId}/manifest-1-1`);
  }
});

it('a snapshot goes from the store before it goes from here, wherever that is interrupted', async () => {
  const [first, second] = [await copied(), await copied()];
  const before = host();
  await before.mirror.reconcile();
  objects.isAway = true;
  before.snapshots.remove(first.snapshotId);
  expect(before.snapshots.progress(first.snapshotId).state).toBe('unknown');
  const remove = vi.spyOn(before.mirror, 'remove');
  await soon(() => expect(remove).toHaveBeenCalled());
  await before.snapshots.close();
  // Its host ended; what it named is still named, so that nothing is in the store with blocks that are gone.
  expect(existsSync(layout.snapshot(first.snapshotId).manifest)).toBe(true);
  expect(await stored()).toHaveLength(2);
  objects.isAway = false;
  host().snapshots.resume();
  await soon(() => expect(existsSync(layout.snapshot(first.snapshotId).folder)).toBe(false));
  await soon(() => expect(segments()).toHaveLength(1));
  expect(await stored()).toEqual([`${second.snapshotId}/manifest`]);
});

it('an index that arrives late is removed again', async () => {
  const { snapshotId } = await copied();
  const { mirror } = host();
  await mirror.reconcile();
  const late = objects.objects.get(`snapshots/${snapshotId}/manifest-1-1`)!;
  writeFileSync(layout.snapshot(snapshotId).removed, '');
  expect(await mirror.remove(snapshotId)).toBe(true);
  rmSync(layout.snapshot(snapshotId).folder, { recursive: true });
  objects.objects.set(`snapshots/${snapshotId}/manifest-1-1`, late);
  await mirror.reconcile();
  expect(await stored()).toEqual([]);
});

it('a removal waits for what was given up and may still arrive', async () => {
  const { snapshotId } = await copied();
  const { mirror } = host();
  objects.isAway = true;
  await expect(mirror.reconcile()).rejects.toThrow(StoreUnavailable);
  objects.isAway = false;
  writeFileSync(layout.snapshot(snapshotId).removed, '');
  expect(await mirror.remove(snapshotId)).toBe(false);
});

it('a host that has lost its snapshots removes nothing, and has them again once it is told to', async () => {
  const { snapshotId } = await copied();
  const before = host();
  await before.mirror.reconcile();
  await before.snapshots.close();
  renameSync(layout.snapshots, `${layout.snapshots}.lost`);
  makeDirectory(layout.snapshots);
  const { mirror, snapshots } = host();
  await expect(mirror.reconcile()).rejects.toThrow(UnknownSnapshots);
  const reconcile = vi.spyOn(mirror, 'reconcile');
  snapshots.collect();
  await soon(() => expect(reconcile).toHaveBeenCalled());
  await snapshots.close();
  expect(segments()).toHaveLength(1);
  expect((await rebuildIndex(layout, objects)).snapshots).toEqual([snapshotId]);
  await mirror.reconcile();
  expect(snapshots.progress(snapshotId).state).toBe('completed');
});

it('an archive shares the blocks of the store, is there itself, and comes to another host', async () => {
  const { snapshotId, bytes, digest } = await copied();
  const { snapshots, archives, mirror } = host();
  await mirror.reconcile();
  archives.archive(snapshotId);
  await soon(() => expect(archives.progress(snapshotId).archive).toBe(true));
  expect(await stored()).toEqual([`${snapshotId}/archive`, `${snapshotId}/manifest`]);
  archives.release(snapshotId, 'archive');
  await soon(async () => expect(await stored()).toEqual([`${snapshotId}/archive`]));
  expect(archives.progress(snapshotId)).toMatchObject({ blocks: false, archive: true });
  await snapshots.close();
  const other = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-mirror-')));
  await takeOverStore(objects, other.claim);
  expect((await rebuildIndex(other, objects)).snapshots).toEqual([snapshotId]);
  const later = host(other);
  later.archives.restore(snapshotId);
  await soon(() => expect(later.archives.progress(snapshotId).blocks).toBe(true));
  later.archives.release(snapshotId, 'blocks');
  await soon(async () => expect(await stored()).toEqual([`${snapshotId}/manifest`]));
  expect((await new SegmentBlockStore(other.blocks, objects).get(digest)).equals(bytes)).toBe(true);
  await later.snapshots.close();
  rmSync(other.root, { recursive: true });
});
