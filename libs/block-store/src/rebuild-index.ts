import { linkEntry, UnsyncedFolders } from './block-index.ts';
import { makeDirectory } from './durable-files.ts';
import type { StoreLayout } from './layout.ts';
import type { ObjectStore } from './object-store.ts';
import { lockVolume } from './process-lock.ts';
import { parseSegmentHeader, SEGMENT_HEADER_BYTES, segmentKey } from './segment.ts';
import { listSegments } from './segment-garbage.ts';
import { assertOwnStore } from './store-claim.ts';

const LOCK_WAIT_MS = 60_000;
/** Headers asked for at once. */
const CONCURRENCY = 8;

export interface RebuiltIndex {
  readonly segments: number;
  readonly blocks: number;
  /** Objects whose beginning is not a segment's: their blocks are not found by it. */
  readonly damaged: readonly string[];
}

/**
 * Adds what is missing to the index, from the segments themselves: 4 KiB of each. What is not needed goes with the next
 * collection. @throws StoreUnavailable, ForeignStore
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
    return { segments: segments.length, blocks, damaged };
  } finally {
    unlock();
  }
};
