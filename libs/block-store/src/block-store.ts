import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { blockPath, findEntry, renewEntry, UnsyncedFolders } from './block-index.ts';
import { makeDirectory, writeFileDurablyAsync, writeFileThenSync } from './durable-files.ts';
import { digestOf, digestOfSync } from './digests.ts';
import { readFileDirectly } from './direct-io.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';

export { DIGEST_BYTES, digestOf, digestOfSync } from './digests.ts';

/** A stored block is missing, or its bytes are not the ones it is named after. It is never served. */
export class BlockDamaged extends Error {
  override readonly name = 'BlockDamaged';
  readonly digest: string;
  constructor(digest: string, reason: string) {
    super(`block ${digest} is ${reason}`);
    this.digest = digest;
  }
}

/** Blocks of 512 KiB by the SHA-256 of their bytes (ciphertext, where the volume is encrypted). */
export interface BlockStore {
  /** Blocks that are best put between two calls of `settle`; absent: few are as good as many. */
  readonly batchBlocks?: number;
  /**
   * Keeps a block, which is durable only after `settle`. Repeating it is cheap and renews the block's age, which keeps a
   * concurrent collection from taking it. @throws StoreUnavailable
   */
  put(digest: Buffer, bytes: Uint8Array): Promise<void>;
  /** Makes everything put so far durable. @throws StoreUnavailable: some of it is not; the next call tries again. */
  settle(): Promise<void>;
  /** @throws BlockDamaged, StoreUnavailable */
  get(digest: Buffer): Promise<Buffer<ArrayBuffer>>;
}

/** One that reads into memory of its caller's, which saves a copy where the store can. */
export interface DirectBlockStore extends BlockStore {
  /** Like `get`; the target has a block's length, and is not to be looked at before this settles. @throws BlockDamaged, StoreUnavailable */
  getInto(digest: Buffer, target: Buffer): Promise<void>;
}

export interface FolderBlockStoreOptions {
  /**
   * Digests are made on the event loop, and only waits for the disk are not: at half the cost of giving all to other threads,
   * for a process on whose event loop no guest waits. Blocks in memory that is aligned to pages bypass the page cache.
   */
  readonly onLoop?: boolean;
}

/** @throws RangeError */
export const assertWholeBlock = (bytes: Uint8Array): void => {
  if (bytes.length !== BLOCK_SIZE_BYTES)
    throw new RangeError(`a block has ${BLOCK_SIZE_BYTES} bytes, not ${bytes.length}`);
};

/** A folder on a local disk, shared by all processes of a host. */
export class FolderBlockStore implements DirectBlockStore {
  readonly root: string;
  readonly #onLoop: boolean;
  readonly #folders: UnsyncedFolders;

  constructor(root: string, { onLoop = false }: FolderBlockStoreOptions = {}) {
    this.root = root;
    this.#onLoop = onLoop;
    this.#folders = new UnsyncedFolders(root);
    makeDirectory(root);
  }

  async put(digest: Buffer, bytes: Uint8Array): Promise<void> {
    assertWholeBlock(bytes);
    const { folder, file } = blockPath(digest);
    const path = join(this.root, folder, file);
    const isThere = (!this.#onLoop || existsHere(path)) && (await renewEntry(path));
    if (!isThere) {
      this.#folders.prepare(folder);
      await (this.#onLoop ? writeFileThenSync(path, bytes) : writeFileDurablyAsync(path, bytes, false));
    }
    // Not before the file is there: others may settle meanwhile.
    this.#folders.add(folder);
  }

  settle(): Promise<void> {
    return this.#folders.sync();
  }

  async get(digest: Buffer): Promise<Buffer<ArrayBuffer>> {
    const bytes = await this.#found(digest, (path) => readFile(path));
    const isWhole = bytes.length === BLOCK_SIZE_BYTES;
    if (!isWhole || !(this.#onLoop ? digestOfSync(bytes) : await digestOf(bytes)).equals(digest)) {
      throw new BlockDamaged(digest.toString('hex'), 'damaged');
    }
    return bytes;
  }

  async getInto(digest: Buffer, target: Buffer): Promise<void> {
    const isWhole = await this.#found(digest, (path) => readFileDirectly(path, target));
    if (!isWhole || !digestOfSync(target).equals(digest)) throw new BlockDamaged(digest.toString('hex'), 'damaged');
  }

  async #found<Found>(digest: Buffer, read: (path: string) => Found | Promise<Found>): Promise<Found> {
    const found = await findEntry(this.root, digest, read);
    if (found === null) throw new BlockDamaged(digest.toString('hex'), 'missing');
    return found;
  }
}

const existsHere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;
