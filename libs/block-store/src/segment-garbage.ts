import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { BlockMover } from './block-mover.ts';
import { indexEntries, isAbsent, namesIn, placeOfEntry, trashFolder, writingFolder } from './block-index.ts';
import { syncDirectoryAsync } from './durable-files.ts';
import type { ObjectStore } from './object-store.ts';
import { isHeld } from './process-lock.ts';
import { blocksOfSegment, SEGMENT_BLOCKS, SEGMENTS_PREFIX, segmentKey, segmentOfKey } from './segment.ts';
import { assertOwnStore, CLAIM_KEY } from './store-claim.ts';
import { indexOfKey } from './stored-indexes.ts';

/** Blocks that one collection moves at most: 1 GiB. What is left is moved by the next one. */
const MAX_MOVED_BLOCKS = 2_048;
const DAY_MS = 24 * 3_600_000;

export interface SweptSegments {
  readonly removedSegments: number;
  readonly movedBlocks: number;
  /** Blocks of the folder, or of segments hardly used, that the next collection may move. */
  readonly isMoreToMove: boolean;
}

/**
 * Segments that nothing needs. Made before blocks are collected: what the object store has now, without segments whose
 * entries may still be to come, can only lose entries from then on.
 */
export class SegmentSweep {
  readonly #root: string;
  readonly #objects: ObjectStore;
  /** Segments whose entries were all written when this began. */
  readonly #complete: ReadonlySet<string>;

  private constructor(root: string, objects: ObjectStore, complete: ReadonlySet<string>) {
    this.#root = root;
    this.#objects = objects;
    this.#complete = complete;
  }

  /** @param claimPath see `assertOwnStore`. @throws StoreUnavailable, ForeignStore */
  static async begin(root: string, objects: ObjectStore, claimPath: string): Promise<SegmentSweep> {
    await assertOwnStore(objects, claimPath);
    const listed = await listSegments(objects);
    // In this order: whoever has taken its mark away since has written its entries before, and they are read later.
    const { writing, abandoned } = await writingMarks(root);
    for (const segment of abandoned) await rm(join(writingFolder(root), segment), { force: true });
    return new SegmentSweep(root, objects, new Set(listed.filter((segment) => !writing.has(segment))));
  }

  /** After the entries of unused blocks are gone. @param changed folders of the index that they were removed from. */
  async finish(changed: Iterable<string>): Promise<SweptSegments> {
    // Or a loss of power would bring back entries of segments that are gone.
    await Promise.all([...changed].map((folder) => syncDirectoryAsync(join(this.#root, folder))));
    await syncDirectoryAsync(trashFolder(this.#root));
    const used = await usedBlocks(this.#root, { aside: false });
    const unused = [...this.#complete].filter((segment) => !used.has(segment));
    await this.#objects.remove(unused.map(segmentKey));
    const mover = new BlockMover(this.#root, this.#objects);
    const { emptied, movedBlocks } = await mover.move(new Set(this.#worthRewriting(used)), MAX_MOVED_BLOCKS);
    await this.#objects.remove(emptied.map(segmentKey));
    const isMoreToMove = movedBlocks >= MAX_MOVED_BLOCKS;
    return { removedSegments: unused.length + emptied.length, movedBlocks, isMoreToMove };
  }

  /**
   * Those of which less than half is used; and small ones, if together they fill a whole one, so that a block is written
   * again only while objects become fewer. Not more than one collection may move.
   */
  #worthRewriting(used: ReadonlyMap<string, number>): string[] {
    const complete = [...used].filter(([segment]) => this.#complete.has(segment));
    const isSparse = ([segment, blocks]: [string, number]) => 2 * blocks < (blocksOfSegment(segment) ?? 0);
    const isSmall = ([, blocks]: [string, number]) => 2 * blocks < SEGMENT_BLOCKS;
    const sparse = complete.filter(isSparse);
    const small = complete.filter((entry) => !isSparse(entry) && isSmall(entry));
    const blocksOf = (entries: typeof complete) => entries.reduce((sum, [, blocks]) => sum + blocks, 0);
    const chosen = blocksOf([...sparse, ...small]) >= SEGMENT_BLOCKS ? [...sparse, ...small] : sparse;
    let left = MAX_MOVED_BLOCKS;
    return chosen.filter(([, blocks]) => (left -= blocks) >= 0).map(([segment]) => segment);
  }
}

export const listSegments = async (objects: ObjectStore): Promise<string[]> => {
  const found = [];
  for await (const { key } of objects.list(SEGMENTS_PREFIX)) {
    const segment = segmentOfKey(key);
    if (segment !== null) found.push(segment);
  }
  return found;
};

/** Segments that somebody is writing, and those whose writer has ended. */
const writingMarks = async (root: string): Promise<{ writing: Set<string>; abandoned: string[] }> => {
  const writing = new Set<string>();
  const abandoned: string[] = [];
  for (const name of await namesIn(writingFolder(root))) {
    const mark = join(writingFolder(root), name);
    try {
      const holder = await readFile(mark, 'latin1');
      // Empty: it is just being made, or its process was killed while it was.
      const isWritten = holder === '' ? (await stat(mark)).mtimeMs > Date.now() - DAY_MS : isHeld(holder);
      if (isWritten) writing.add(name);
      else abandoned.push(name);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  return { writing, abandoned };
};

/** @param aside also those that a collection has laid aside for a moment. */
const usedBlocks = async (root: string, { aside }: { aside: boolean }): Promise<Map<string, number>> => {
  const used = new Map<string, number>();
  const look = async (path: string) => {
    try {
      const segment = (await placeOfEntry(path))?.segment;
      if (segment !== undefined) used.set(segment, (used.get(segment) ?? 0) + 1);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  };
  for await (const { path } of indexEntries(root)) await look(path);
  if (aside) for (const name of await namesIn(trashFolder(root))) await look(join(trashFolder(root), name));
  return used;
};

/** For a look that changes nothing. @returns keys. @throws StoreUnavailable */
export const unusedObjects = async (
  root: string,
  objects: ObjectStore,
): Promise<{ segments: readonly string[]; strays: readonly string[] }> => {
  const keys: string[] = [];
  for await (const { key } of objects.list('')) keys.push(key);
  const { writing } = await writingMarks(root);
  const used = await usedBlocks(root, { aside: true });
  // Once more, for what a collection moved from one folder to another meanwhile.
  const again = await usedBlocks(root, { aside: true });
  const isUnused = (segment: string) => !writing.has(segment) && !used.has(segment) && !again.has(segment);
  return {
    segments: keys.filter((key) => isUnused(segmentOfKey(key) ?? key) && segmentOfKey(key) !== null),
    strays: keys.filter((key) => segmentOfKey(key) === null && indexOfKey(key) === null && key !== CLAIM_KEY),
  };
};
