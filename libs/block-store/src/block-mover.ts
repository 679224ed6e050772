import { readFile } from 'node:fs/promises';
import { indexEntries, isAbsent, placeOfEntry, replaceEntry, UnsyncedFolders } from './block-index.ts';
import { digestOf } from './digests.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { ObjectMissing, type ObjectStore } from './object-store.ts';
import { type BlockPlace, linkTarget, SegmentDraft } from './segment.ts';
import { writeSegment } from './segment-block-store.ts';
import { SegmentReader } from './segment-reader.ts';

/** Read at once: 8 MiB. */
const BATCH_BLOCKS = 16;

interface Movable {
  readonly digest: string;
  readonly path: string;
  /** Null: the block is in the folder. */
  readonly place: BlockPlace | null;
}

/**
 * Writes blocks into new segments: out of segments that are hardly used, and out of a folder that a host kept them in before.
 * An entry changes only when the new object is durable. A damaged block stays where it is, for whoever may mend it.
 */
export class BlockMover {
  readonly #root: string;
  readonly #objects: ObjectStore;
  readonly #reader: SegmentReader;
  readonly #folders: UnsyncedFolders;
  #draft = new SegmentDraft();

  constructor(root: string, objects: ObjectStore) {
    this.#root = root;
    this.#objects = objects;
    this.#reader = new SegmentReader(objects);
    this.#folders = new UnsyncedFolders(root);
  }

  /** @returns of `segments` those that nothing is in any more: durably so. @throws StoreUnavailable */
  async move(
    segments: ReadonlySet<string>,
    maxBlocks: number,
  ): Promise<{ emptied: readonly string[]; movedBlocks: number }> {
    const emptied = new Set(segments);
    const movable = await this.#movable(segments, maxBlocks);
    let movedBlocks = 0;
    for (let at = 0; at < movable.length; at += BATCH_BLOCKS) {
      const batch = movable.slice(at, at + BATCH_BLOCKS);
      for (const [index, bytes] of (await Promise.all(batch.map((block) => this.#read(block)))).entries()) {
        const { digest, place } = batch[index] ?? { digest: '', place: null };
        if (bytes === null) {
          if (place !== null) emptied.delete(place.segment);
          continue;
        }
        this.#draft.add(Buffer.from(digest, 'hex'), bytes);
        movedBlocks++;
        if (this.#draft.isFull) await this.#write();
      }
    }
    if (this.#draft.size > 0) await this.#write();
    await this.#folders.sync();
    return { emptied: [...emptied], movedBlocks };
  }

  /** In the order in which they lie in their segments. */
  async #movable(segments: ReadonlySet<string>, maxBlocks: number): Promise<Movable[]> {
    const inSegments: Movable[] = [];
    const inFolder: Movable[] = [];
    for await (const { digest, path } of indexEntries(this.#root)) {
      const place = await placeOfEntry(path);
      if (place === null) {
        if (inFolder.length < maxBlocks) inFolder.push({ digest, path, place });
      } else if (segments.has(place.segment)) inSegments.push({ digest, path, place });
    }
    const order = ({ place }: Movable) => (place === null ? '' : linkTarget(place).replace(/:(.)$/, ':0$1'));
    inSegments.sort((left, right) => (order(left) < order(right) ? -1 : 1));
    return [...inSegments, ...inFolder.slice(0, Math.max(0, maxBlocks - inSegments.length))];
  }

  async #read({ digest, path, place }: Movable): Promise<Buffer<ArrayBuffer> | null> {
    try {
      const bytes = place === null ? await readFile(path) : await this.#reader.read(place);
      const isWhole = bytes.length === BLOCK_SIZE_BYTES && (await digestOf(bytes)).toString('hex') === digest;
      return isWhole ? bytes : null;
    } catch (error) {
      if (error instanceof ObjectMissing || isAbsent(error)) return null;
      throw error;
    }
  }

  async #write(): Promise<void> {
    const draft = this.#draft;
    this.#draft = new SegmentDraft();
    await writeSegment(this.#root, this.#objects, draft, this.#folders, replaceEntry);
  }
}
