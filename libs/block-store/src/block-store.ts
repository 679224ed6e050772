import { createHash, webcrypto } from 'node:crypto';
import { readFile, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectoryAsync, writeFileDurablyAsync } from './durable-files.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';

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

/** A folder on a local disk, shared by all processes of a host. */
export class FolderBlockStore implements BlockStore {
  readonly root: string;
  readonly #unsettled = new Set<string>();
  readonly #known = new Set<string>();

  constructor(root: string) {
    this.root = root;
    makeDirectory(root);
  }

  async put(digest: Buffer, bytes: Uint8Array): Promise<void> {
    if (bytes.length !== BLOCK_SIZE_BYTES)
      throw new RangeError(`a block has ${BLOCK_SIZE_BYTES} bytes, not ${bytes.length}`);
    const { folder, file } = blockPath(digest);
    const path = join(this.root, folder, file);
    this.#unsettled.add(folder);
    if (await this.#renew(path)) return;
    if (!this.#known.has(folder)) makeDirectory(join(this.root, folder));
    this.#known.add(folder);
    await writeFileDurablyAsync(path, bytes, false);
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
    const { folder, file } = blockPath(digest);
    let bytes: Buffer<ArrayBuffer>;
    try {
      bytes = await readFile(join(this.root, folder, file));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new BlockDamaged(digest.toString('hex'), 'missing');
      throw error;
    }
    if (bytes.length !== BLOCK_SIZE_BYTES || !(await digestOf(bytes)).equals(digest)) {
      throw new BlockDamaged(digest.toString('hex'), 'damaged');
    }
    return bytes;
  }

  /** One system call, so that a collector either sees the new age or has already taken the file away. */
  async #renew(path: string): Promise<boolean> {
    const now = new Date();
    try {
      await utimes(path, now, now);
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }
}
