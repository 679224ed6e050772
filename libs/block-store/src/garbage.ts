import { writeFileSync } from 'node:fs';
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { blockReferences } from './block-references.ts';
import { asidePath, trashFolder } from './block-store.ts';
import type { StoreLayout } from './layout.ts';

export interface Collected {
  readonly keptBlocks: number;
  readonly removedBlocks: number;
}

const DAY_MS = 24 * 3_600_000;

const isAbsent = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';

/**
 * Removes blocks that no manifest, no copy under way and no volume being restored names. Copies in other processes may go
 * on meanwhile: they announce a digest in their intent file, then put the block (which renews its age), then journal it.
 * So a block that they need is either named when the marks are read, or younger than the collection. The age is read
 * after the block has been moved aside, in one step with which no put can interfere; a young one is moved back.
 *
 * What a process that was killed left of blocks that it was writing goes too.
 *
 * The caller makes sure that no manifest is copied or removed while this runs.
 */
export const collectGarbage = async (layout: StoreLayout): Promise<Collected> => {
  const trash = trashFolder(layout.blocks);
  await mkdir(trash, { recursive: true, mode: 0o700 });
  await restoreTrash(layout, trash);
  const startedMs = await fileSystemTime(join(trash, 'clock'));
  const marked = markedDigests(layout);
  let [keptBlocks, removedBlocks] = [0, 0];
  for (const folder of (await readdir(layout.blocks)).filter((name) => /^[0-9a-f]{2}$/.test(name))) {
    const files = await readdir(join(layout.blocks, folder));
    for (const file of files) await removeIfAbandoned(join(layout.blocks, folder, file), startedMs);
    for (const file of files.filter((name) => /^[0-9a-f]{62}$/.test(name))) {
      if (marked.has(folder + file) || !(await removeIfOlder(layout, folder, file, startedMs))) keptBlocks++;
      else removedBlocks++;
    }
  }
  return { keptBlocks, removedBlocks };
};

/** Blocks that a killed collection left aside, and may have been about to move back. */
const restoreTrash = async (layout: StoreLayout, trash: string): Promise<void> => {
  for (const name of (await readdir(trash)).filter((entry) => /^[0-9a-f]{64}$/.test(entry))) {
    await rename(join(trash, name), join(layout.blocks, name.slice(0, 2), name.slice(2)));
  }
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
    const { mtimeMs } = await stat(path);
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
    if ((await stat(path)).mtimeMs >= startedMs) return false;
    await rename(path, aside);
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
  if ((await stat(aside)).mtimeMs >= startedMs) {
    await rename(aside, path);
    return false;
  }
  await rm(aside);
  return true;
};

/** Hexadecimal digests of every block that something names. */
const markedDigests = (layout: StoreLayout): Set<string> => {
  const marked = new Set<string>();
  for (const { read } of blockReferences(layout)) {
    try {
      for (const digest of read()) marked.add(digest.toString('hex'));
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  return marked;
};
