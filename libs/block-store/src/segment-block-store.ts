import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  blockPath,
  findEntry,
  linkEntry,
  placeOfEntry,
  renewEntry,
  UnsyncedFolders,
  writingFolder,
} from './block-index.ts';
import { assertWholeBlock, BlockDamaged, type DirectBlockStore, FolderBlockStore } from './block-store.ts';
import { digestOf, digestOfSync } from './digests.ts';
import { makeDirectory } from './durable-files.ts';
import { ObjectMissing, type ObjectStore } from './object-store.ts';
import { identityOf } from './process-lock.ts';
import { type BlockPlace, linkTarget, SEGMENT_BLOCKS, SegmentDraft, segmentKey } from './segment.ts';
import { SegmentReader } from './segment-reader.ts';

/** Segments filled and not written yet before `put` waits for one: with the one being filled, 96 MiB. */
const MAX_UNWRITTEN = 2;
/** How often a block is looked up again that a collector has moved to another segment meanwhile. */
const MAX_MOVES = 5;

/** What an entry of the index stands for. */
type Located = BlockPlace | 'file';

export interface SegmentBlockStoreOptions {
  /** Digests are made on the event loop: for a process on whose event loop no guest waits. */
  readonly onLoop?: boolean;
}

/**
 * Blocks in an object store, many to an object, found by the index in a folder of the host. A block gets an entry in the
 * index, and `settle` settles, only when its object is durable. Blocks that a folder holds already are read from there.
 */
export class SegmentBlockStore implements DirectBlockStore {
  readonly batchBlocks = SEGMENT_BLOCKS;
  readonly #root: string;
  readonly #objects: ObjectStore;
  readonly #onLoop: boolean;
  readonly #folders: UnsyncedFolders;
  readonly #files: FolderBlockStore;
  readonly #reader: SegmentReader;
  #draft = new SegmentDraft();
  /** Segments that take no more blocks and are not durable yet, and the writing of those that are being written. */
  readonly #unwritten = new Map<SegmentDraft, Promise<void> | null>();

  constructor(root: string, objects: ObjectStore, { onLoop = false }: SegmentBlockStoreOptions = {}) {
    this.#root = root;
    this.#objects = objects;
    this.#onLoop = onLoop;
    this.#folders = new UnsyncedFolders(root);
    this.#files = new FolderBlockStore(root, { onLoop });
    this.#reader = new SegmentReader(objects);
    makeDirectory(writingFolder(root));
  }

  async put(digest: Buffer, bytes: Uint8Array): Promise<void> {
    assertWholeBlock(bytes);
    const { folder, file } = blockPath(digest);
    if (await renewEntry(join(this.#root, folder, file))) {
      // Whoever put it may not have synced it yet.
      this.#folders.add(folder);
      return;
    }
    while (!this.#isUnwritten(digest)) {
      if (!this.#draft.isFull) {
        this.#draft.add(digest, bytes);
        break;
      }
      const [oldest] = this.#unwritten.keys();
      if (oldest !== undefined && this.#unwritten.size >= MAX_UNWRITTEN) await this.#write(oldest);
      else this.#close();
    }
  }

  async settle(): Promise<void> {
    while (this.#draft.size > 0) {
      const [oldest] = this.#unwritten.keys();
      if (oldest !== undefined && this.#unwritten.size >= MAX_UNWRITTEN) await this.#write(oldest);
      else this.#close();
    }
    await Promise.all([...this.#unwritten.keys()].map((draft) => this.#write(draft)));
    await this.#folders.sync();
  }

  /** A block that is not what it should be is read twice: it may have been damaged on its way. */
  async get(digest: Buffer): Promise<Buffer<ArrayBuffer>> {
    const name = digest.toString('hex');
    let before: string | null = null;
    for (let moves = 0; moves < MAX_MOVES; moves++) {
      const located = await this.#locate(digest);
      if (located === null) break;
      const where = located === 'file' ? located : linkTarget(located);
      try {
        return await (located === 'file' ? this.#files.get(digest) : this.#verified(digest, located));
      } catch (error) {
        // A collector may have moved it meanwhile.
        if (!(error instanceof ObjectMissing || error instanceof BlockDamaged)) throw error;
        if (before === where)
          throw error instanceof BlockDamaged ? error : new BlockDamaged(name, `missing: ${error.message}`);
        before = where;
      }
    }
    throw new BlockDamaged(name, 'missing');
  }

  async getInto(digest: Buffer, target: Buffer): Promise<void> {
    target.set(await this.get(digest));
  }

  #isUnwritten(digest: Buffer): boolean {
    return this.#draft.has(digest) || [...this.#unwritten.keys()].some((draft) => draft.has(digest));
  }

  async #verified(digest: Buffer, place: BlockPlace): Promise<Buffer<ArrayBuffer>> {
    const bytes = await this.#reader.read(place);
    if ((this.#onLoop ? digestOfSync(bytes) : await digestOf(bytes)).equals(digest)) return bytes;
    this.#reader.forget();
    throw new BlockDamaged(digest.toString('hex'), 'damaged');
  }

  #locate(digest: Buffer): Promise<Located | null> {
    return findEntry(this.#root, digest, async (path): Promise<Located> => (await placeOfEntry(path)) ?? 'file');
  }

  /** Begins to write the segment that was being filled, and to fill another. */
  #close(): void {
    const draft = this.#draft;
    this.#draft = new SegmentDraft();
    this.#unwritten.set(draft, null);
    // A failure is told to whoever settles, who tries again.
    this.#write(draft).catch(() => undefined);
  }

  #write(draft: SegmentDraft): Promise<void> {
    const running = this.#unwritten.get(draft);
    if (running === undefined) return Promise.resolve();
    if (running !== null) return running;
    const writing = writeSegment(this.#root, this.#objects, draft, this.#folders).then(
      () => void this.#unwritten.delete(draft),
      (error: unknown) => {
        this.#unwritten.set(draft, null);
        throw error;
      },
    );
    this.#unwritten.set(draft, writing);
    return writing;
  }
}

/**
 * Writes one object, then its blocks' entries, which are durable once `folders` are synced. Before that it leaves a mark by
 * which a collector knows that entries are still to come. The mark stays when this fails, for the object may be there
 * nevertheless, or get there later, and this is to be tried again; it counts as long as its process runs.
 */
export const writeSegment = async (
  root: string,
  objects: ObjectStore,
  draft: SegmentDraft,
  folders: UnsyncedFolders,
  enter: typeof linkEntry = linkEntry,
): Promise<void> => {
  const segment = draft.name;
  const mark = join(writingFolder(root), segment);
  await writeFile(mark, identityOf(process.pid) ?? '', { mode: 0o600 });
  await objects.put(segmentKey(segment), draft.seal());
  for (const [place, digest] of draft.digests.entries()) await enter(root, digest, { segment, place }, folders);
  await rm(mark, { force: true });
};
