import { existsSync } from 'node:fs';
import { linkEntry, UnsyncedFolders } from './block-index.ts';
import { makeDirectory, writeFileDurably } from './durable-files.ts';
import type { StoreLayout } from './layout.ts';
import { ManifestDamaged } from './manifest.ts';
import { ObjectMissing, type ObjectStore } from './object-store.ts';
import { lockVolume } from './process-lock.ts';
import { parseSegmentHeader, SEGMENT_HEADER_BYTES, segmentKey } from './segment.ts';
import { listSegments } from './segment-garbage.ts';
import { assertOwnStore } from './store-claim.ts';
import { getIndex, INDEX_KINDS, indexHere, isWhole, listIndexes, type StoredIndex } from './stored-indexes.ts';

const LOCK_WAIT_MS = 60_000;
/** Headers asked for at once. */
const CONCURRENCY = 8;

export interface RebuiltIndex {
  readonly segments: number;
  readonly blocks: number;
  /** Ids of snapshots whose block index was not here, or damaged, and is here now. */
  readonly snapshots: readonly string[];
  /** Objects that are not what they should be: blocks or snapshots are not found by them. */
  readonly damaged: readonly string[];
}

/**
 * Adds what is missing to the index, from the segments themselves: 4 KiB of each; then the block indexes of the snapshots that
 * the store has and this host has not. What is not needed goes with the next collection. In this order: while a snapshot is
 * unknown here nothing is collected, and once it is known its blocks are.
 * @throws StoreUnavailable, ForeignStore
 */
export const rebuildIndex = async (layout: StoreLayout, objects: ObjectStore): Promise<RebuiltIndex> => {
  makeDirectory(layout.blocks);
  // A collection that removed a segment while its blocks are entered again would leave entries of nothing.
  const unlock = await lockVolume(layout.collecting, LOCK_WAIT_MS);
  try {
    await assertOwnStore(objects, layout.claim);
    const folders = new UnsyncedFolders(layout.blocks);
    const segments = await listSegments(objects);
    const left = segments[Symbol.iterator]();
    const damaged: string[] = [];
    let blocks = 0;
    const work = async () => {
      for (let next = left.next(); next.done !== true; next = left.next()) {
        const segment = next.value;
        const digests = parseSegmentHeader(await objects.get(segmentKey(segment), 0, SEGMENT_HEADER_BYTES));
        if (digests === null) damaged.push(segmentKey(segment));
        for (const [place, digest] of (digests ?? []).entries())
          await linkEntry(layout.blocks, digest, { segment, place }, folders);
        blocks += digests?.length ?? 0;
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    await folders.sync();
    const snapshots = await restoreIndexes(layout, objects, damaged);
    return { segments: segments.length, blocks, snapshots, damaged };
  } finally {
    unlock();
  }
};

/** @param damaged receives keys. @returns ids of the snapshots that were not here. */
const restoreIndexes = async (layout: StoreLayout, objects: ObjectStore, damaged: string[]): Promise<string[]> => {
  makeDirectory(layout.snapshots);
  const lost = new Map<string, StoredIndex[]>();
  for (const index of (await listIndexes(objects)).filter(isWhole)) {
    if (isNeeded(layout, index)) lost.set(index.snapshotId, [...(lost.get(index.snapshotId) ?? []), index]);
  }
  const restored: string[] = [];
  for (const [snapshotId, indexes] of lost) {
    let isRestored = false;
    for (const index of indexes) {
      try {
        const bytes = await getIndex(objects, index);
        const paths = layout.snapshot(snapshotId);
        makeDirectory(paths.folder);
        writeFileDurably(paths[index.kind], bytes);
        isRestored = true;
      } catch (error) {
        if (error instanceof ManifestDamaged) damaged.push(...index.keys.filter((key) => key !== undefined));
        // It was deleted meanwhile.
        else if (!(error instanceof ObjectMissing)) throw error;
      }
    }
    if (isRestored) restored.push(snapshotId);
  }
  return restored.sort();
};

/** Whether the snapshot has no block index here, or this one of it is damaged. */
const isNeeded = (layout: StoreLayout, { snapshotId, kind }: StoredIndex): boolean => {
  const paths = layout.snapshot(snapshotId);
  if (existsSync(paths.removed)) return false;
  if (!INDEX_KINDS.some((known) => existsSync(paths[known]))) return true;
  try {
    indexHere(paths, snapshotId, kind);
    return false;
  } catch (error) {
    if (error instanceof ManifestDamaged) return true;
    throw error;
  }
};
