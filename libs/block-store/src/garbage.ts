import { writeFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { ageOfEntry, asidePath, findEntry, indexFolders, isAbsent, trashFolder } from './block-index.ts';
import { blockReferences } from './block-references.ts';
import type { StoreLayout } from './layout.ts';
import type { ObjectStore } from './object-store.ts';
import { lockVolume } from './process-lock.ts';
import { SegmentSweep, type SweptSegments } from './segment-garbage.ts';

export interface Collected {
  readonly keptBlocks: number;
  readonly removedBlocks: number;
  /** Where blocks are in an object store. */
  readonly segments?: SweptSegments;
}

const DAY_MS = 24 * 3_600_000;

/** How long another collection, or one that makes the index anew, is waited for. */
const LOCK_WAIT_MS = 60_000;

/**
 * Removes blocks that no manifest, no copy under way and no volume being restored names. Copies in other processes may go
 * on meanwhile: they announce a digest in their intent file, then put the block (which renews its age), then journal it.
 * So a block that they need is either named when the marks are read, or younger than the collection. The age is read
 * after the block has been moved aside, in one step with which no put can interfere; a young one is moved back.
 *
 * What a process that was killed left of blocks that it was writing goes too. With an object store, so do segments that no
 * entry names, and segments that are hardly used are written again: see `SegmentSweep`.
 *
 * The caller makes sure that no manifest is copied or removed while this runs.
 * @throws StoreUnavailable, ForeignStore
 */
export const collectGarbage = async (layout: StoreLayout, objects?: ObjectStore): Promise<Collected> => {
  const trash = trashFolder(layout.blocks);
  await mkdir(trash, { recursive: true, mode: 0o700 });
  if (objects === undefined) {
    const { keptBlocks, removedBlocks } = await collectBlocks(layout, trash, new Set());
    return { keptBlocks, removedBlocks };
  }
  const unlock = await lockVolume(layout.collecting, LOCK_WAIT_MS);
  try {
    const sweep = await SegmentSweep.begin(layout.blocks, objects, layout.claim);
    const changed = new Set<string>();
    const { unseen, ...collected } = await collectBlocks(layout, trash, changed);
    await assertIndexed(layout, unseen);
    return { ...collected, segments: await sweep.finish(changed) };
  } finally {
    unlock();
  }
};

/**
 * A host that has lost entries of its index must not take their segments for unused.
 * @param unseen blocks that are needed and were not in the index, in hexadecimal. @throws Error when they are not.
 */
const assertIndexed = async (layout: StoreLayout, unseen: readonly string[]): Promise<void> => {
  for (const name of unseen) {
    if ((await findEntry(layout.blocks, Buffer.from(name, 'hex'), ageOfEntry)) === null)
      throw new Error(`block ${name} is needed and not in the index, nor may others be: holdfast blocks reindex`);
  }
};

/** @param changed receives the folders that blocks were removed from. */
const collectBlocks = async (
  layout: StoreLayout,
  trash: string,
  changed: Set<string>,
): Promise<Collected & { unseen: string[] }> => {
  for (const folder of await restoreTrash(layout, trash)) changed.add(folder);
  const startedMs = await fileSystemTime(join(trash, 'clock'));
  const marked = markedDigests(layout);
  let [keptBlocks, removedBlocks] = [0, 0];
  for (const folder of await indexFolders(layout.blocks)) {
    const files = await readdir(join(layout.blocks, folder));
    for (const file of files) await removeIfAbandoned(join(layout.blocks, folder, file), startedMs);
    for (const file of files.filter((name) => /^[0-9a-f]{62}$/.test(name))) {
      const isMarked = marked.has(folder + file);
      if (isMarked) marked.set(folder + file, 'seen');
      if (isMarked || !(await removeIfOlder(layout, folder, file, startedMs))) keptBlocks++;
      else {
        changed.add(folder);
        removedBlocks++;
      }
    }
  }
  const unseen = [...marked].filter(([, mark]) => mark === 'needed').map(([name]) => name);
  return { keptBlocks, removedBlocks, unseen };
};

/** Blocks that a killed collection left aside, and may have been about to move back. @returns the folders that they are in. */
const restoreTrash = async (layout: StoreLayout, trash: string): Promise<string[]> => {
  const names = (await readdir(trash)).filter((entry) => /^[0-9a-f]{64}$/.test(entry));
  for (const name of names) await rename(join(trash, name), join(layout.blocks, name.slice(0, 2), name.slice(2)));
  return names.map((name) => name.slice(0, 2));
};

/** By the clock that stamps files, which lags the system's by some milliseconds. */
const fileSystemTime = async (path: string): Promise<number> => {
  writeFileSync(path, '', { mode: 0o600 });
  const { mtimeMs } = await stat(path);
  await rm(path);
  return mtimeMs;
};

/** Half a block, of a process that was killed while it wrote it. */
const removeIfAbandoned = async (path: string, startedMs: number): Promise<void> => {
  const pid = /\.(\d+)-[0-9a-f]+\.tmp$/.exec(path)?.[1];
  if (pid === undefined) return;
  try {
    const mtimeMs = await ageOfEntry(path);
    // Another process may have got the number since; none writes one block for a day.
    const isAbandoned = !isRunning(Number(pid)) || mtimeMs < startedMs - DAY_MS;
    if (mtimeMs < startedMs && isAbandoned) await rm(path);
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
};

const isRunning = (pid: number): boolean => {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
};

const removeIfOlder = async (
  layout: StoreLayout,
  folder: string,
  file: string,
  startedMs: number,
): Promise<boolean> => {
  const path = join(layout.blocks, folder, file);
  const aside = asidePath(layout.blocks, folder + file);
  try {
    if ((await ageOfEntry(path)) >= startedMs) return false;
    await rename(path, aside);
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
  if ((await ageOfEntry(aside)) >= startedMs) {
    await rename(aside, path);
    return false;
  }
  await rm(aside);
  return true;
};

/** Hexadecimal digests of every block that something names; those that are only announced may not be there yet. */
const markedDigests = (layout: StoreLayout): Map<string, 'announced' | 'needed' | 'seen'> => {
  const marked = new Map<string, 'announced' | 'needed' | 'seen'>();
  for (const { isAnnounced, read } of blockReferences(layout)) {
    try {
      for (const digest of read()) {
        const name = digest.toString('hex');
        if (!isAnnounced) marked.set(name, 'needed');
        else if (!marked.has(name)) marked.set(name, 'announced');
      }
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  return marked;
};
