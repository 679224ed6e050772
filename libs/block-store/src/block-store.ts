import { createHash, webcrypto } from 'node:crypto';
import { statSync } from 'node:fs';
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { openNodeFile } from './backing-file.ts';
import { makeDirectory, syncDirectoryAsync, writeFileDurablyAsync, writeFileThenSync } from './durable-files.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { ReadPace } from './read-pace.ts';

export const DIGEST_BYTES = 32;

/** A stored block is missing, or its bytes are not the ones it is named after. It is never served. */
export class BlockDamaged extends Error {
  override readonly name = 'BlockDamaged';
  readonly digest: string;
  constructor(digest: string, reason: string) {
    super(`block ${digest} is ${reason}`);
    this.digest = digest;
  }
}

/** SHA-256 in the platform's thread pool, so that a copy of a snapshot does not hold up the guest. */
export const digestOf = async (bytes: Uint8Array<ArrayBuffer>): Promise<Buffer> =>
  Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes));

export const digestOfSync = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** Blocks of 512 KiB by the SHA-256 of their bytes (ciphertext, where the volume is encrypted). */
export interface BlockStore {
  /**
   * Keeps a block, which is durable only after `settle`. Repeating it is cheap and renews the block's age, which keeps a
   * concurrent collection from taking it.
   */
  put(digest: Buffer, bytes: Uint8Array): Promise<void>;
  /** Makes everything put so far durable. */
  settle(): Promise<void>;
  /** @throws BlockDamaged */
  get(digest: Buffer): Promise<Buffer<ArrayBuffer>>;
}

/** @returns folder and file name of a block under the store's root. */
export const blockPath = (digest: Buffer): { folder: string; file: string } => {
  const name = digest.toString('hex');
  return { folder: name.slice(0, 2), file: name.slice(2) };
};

/** Where a collector keeps the blocks that it is about to remove. */
export const trashFolder = (root: string): string => join(root, 'trash');

/** @param name of the block: its digest in hexadecimal. */
export const asidePath = (root: string, name: string): string => join(trashFolder(root), name);

export interface FolderBlockStoreOptions {
  /**
   * Writes, cached reads and digests are made on the event loop: at half the cost of giving them to other threads, for a
   * process on whose event loop no guest waits.
   */
  readonly onLoop?: boolean;
}

/** A folder on a local disk, shared by all processes of a host. */
export class FolderBlockStore implements BlockStore {
  readonly root: string;
  readonly #onLoop: boolean;
  readonly #pace = new ReadPace();
  readonly #unsettled = new Set<string>();
  readonly #known = new Set<string>();

  constructor(root: string, { onLoop = false }: FolderBlockStoreOptions = {}) {
    this.root = root;
    this.#onLoop = onLoop;
    makeDirectory(root);
  }

  async put(digest: Buffer, bytes: Uint8Array): Promise<void> {
    if (bytes.length !== BLOCK_SIZE_BYTES)
      throw new RangeError(`a block has ${BLOCK_SIZE_BYTES} bytes, not ${bytes.length}`);
    const { folder, file } = blockPath(digest);
    const path = join(this.root, folder, file);
    const isThere = (!this.#onLoop || existsHere(path)) && (await this.#renew(path));
    if (!isThere) {
      if (!this.#known.has(folder)) makeDirectory(join(this.root, folder));
      this.#known.add(folder);
      await (this.#onLoop ? writeFileThenSync(path, bytes) : writeFileDurablyAsync(path, bytes, false));
    }
    // Not before the file is there: others may settle meanwhile.
    this.#unsettled.add(folder);
  }

  async settle(): Promise<void> {
    const folders = [...this.#unsettled];
    this.#unsettled.clear();
    try {
      await Promise.all(folders.map((folder) => syncDirectoryAsync(join(this.root, folder))));
    } catch (error) {
      for (const folder of folders) this.#unsettled.add(folder);
      throw error;
    }
  }

  async get(digest: Buffer): Promise<Buffer<ArrayBuffer>> {
    const bytes = await this.#found(digest, (path) => readFile(path));
    const isWhole = bytes.length === BLOCK_SIZE_BYTES;
    if (!isWhole || !(this.#onLoop ? digestOfSync(bytes) : await digestOf(bytes)).equals(digest)) {
      throw new BlockDamaged(digest.toString('hex'), 'damaged');
    }
    return bytes;
  }

  /** Like `get`, into memory of the caller's: a block long, not to be looked at before this settles. @throws BlockDamaged */
  async getInto(digest: Buffer, target: Buffer): Promise<void> {
    const file = await this.#found(digest, (path) => openNodeFile(path, 'existing'));
    try {
      if (file.sizeBytes !== BLOCK_SIZE_BYTES) throw new BlockDamaged(digest.toString('hex'), 'damaged');
      if (!this.#onLoop || this.#pace.isSlow) {
        await file.read(target, 0);
      } else {
        const startedMs = performance.now();
        file.readSync(target, 0);
        this.#pace.note(performance.now() - startedMs, target.length);
      }
    } finally {
      file.close();
    }
    if (!digestOfSync(target).equals(digest)) throw new BlockDamaged(digest.toString('hex'), 'damaged');
  }

  /** A collector moves a block aside before it looks whether it was put again just now, and then moves it back. */
  async #found<Found>(digest: Buffer, read: (path: string) => Found | Promise<Found>): Promise<Found> {
    const { folder, file } = blockPath(digest);
    const path = join(this.root, folder, file);
    for (const place of [path, asidePath(this.root, folder + file)]) {
      try {
        return await read(place);
      } catch (error) {
        if (!isAbsent(error)) throw error;
      }
    }
    try {
      return await read(path);
    } catch (error) {
      throw isAbsent(error) ? new BlockDamaged(folder + file, 'missing') : error;
    }
  }

  /** One system call, so that a collector either sees the new age or has already taken the file away. */
  async #renew(path: string): Promise<boolean> {
    const now = new Date();
    try {
      await utimes(path, now, now);
      return true;
    } catch (error) {
      if (isAbsent(error)) return false;
      throw error;
    }
  }
}

const existsHere = (path: string): boolean => statSync(path, { throwIfNoEntry: false }) !== undefined;

const isAbsent = (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT';
