import { lstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { isAbsent, placeOfEntry } from './block-index.ts';
import { digestOf } from './digests.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { ObjectMissing, type ObjectStore } from './object-store.ts';
import { linkTarget } from './segment.ts';
import { SegmentReader } from './segment-reader.ts';

export interface Damage {
  readonly kind: 'block-damaged' | 'block-missing';
  readonly reason: string;
}

/** Holds blocks to the digests that they are named after. */
export class BlockInspector {
  readonly #reader: SegmentReader | null;

  /** @param objects where the host's segments are, if it has any. */
  constructor(objects: ObjectStore | undefined) {
    this.#reader = objects === undefined ? null : new SegmentReader(objects);
  }

  /** @returns null: it is what its name says, or has gone meanwhile. @throws StoreUnavailable */
  async inspect(digest: string, path: string): Promise<Damage | null> {
    const bytes = await this.#read(path);
    if (bytes === null || !(bytes instanceof Uint8Array)) return bytes;
    if (bytes.length !== BLOCK_SIZE_BYTES) return damaged(`it has ${bytes.length} bytes`);
    const actual = (await digestOf(bytes)).toString('hex');
    if (actual === digest) return null;
    this.#reader?.forget();
    return damaged(`its content has the digest ${actual}`);
  }

  /** Blocks by the place that they have, so that one is read after the other. Those in files come first. */
  async inOrder(blocks: ReadonlyMap<string, string>): Promise<(readonly [digest: string, path: string])[]> {
    if (this.#reader === null) return [...blocks];
    const placed: (readonly [order: string, digest: string, path: string])[] = [];
    for (const [digest, path] of blocks) placed.push([await orderOf(path), digest, path]);
    placed.sort(([left], [right]) => (left < right ? -1 : 1));
    return placed.map(([, digest, path]) => [digest, path]);
  }

  async #read(path: string): Promise<Buffer<ArrayBuffer> | Damage | null> {
    try {
      const place = await placeOfEntry(path);
      if (place === null) return await readFile(path);
      if (this.#reader === null) throw new Error(`${path} is in an object store, which is not configured here`);
      try {
        return await this.#reader.read(place);
      } catch (error) {
        if (!(error instanceof ObjectMissing)) throw error;
        return { kind: 'block-missing', reason: `${error.message}` };
      }
    } catch (error) {
      if (isAbsent(error)) return null;
      // What the disk says of one block; what keeps us from all of them is for the caller.
      if ((error as NodeJS.ErrnoException).code === undefined) throw error;
      return damaged(`it can't be read: ${(error as Error).message}`);
    }
  }
}

const damaged = (reason: string): Damage => ({ kind: 'block-damaged', reason });

const orderOf = async (path: string): Promise<string> => {
  try {
    const place = await placeOfEntry(path);
    return place === null ? '' : linkTarget(place).replace(/:(.)$/, ':0$1');
  } catch (error) {
    if (isAbsent(error)) return '';
    throw error;
  }
};

/** Of an entry itself, whatever it stands for. */
export const entryExists = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false }) !== undefined;

/** Milliseconds; Infinity for an entry that is not there. */
export const modifiedMs = (path: string): number => lstatSync(path, { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
