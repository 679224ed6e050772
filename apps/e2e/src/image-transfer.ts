import { randomBytes } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';

export const BLOCK_BYTES = 524_288;
/** Blocks on their way at once, as coldsnap has them. */
const WORKERS = 64;
const COMPARED_BYTES = 8 * BLOCK_BYTES;

export const inParallel = async <T>(items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> => {
  const queue = items[Symbol.iterator]();
  const worker = async () => {
    for (let next = queue.next(); next.done !== true; next = queue.next()) await work(next.value);
  };
  await Promise.all(Array.from({ length: WORKERS }, worker));
};

/** Makes an image of `sizeBytes`: so many random blocks spread over it, the first and the last included, holes between. */
export const makeImage = async (path: string, sizeBytes: number, filledBlocks: number): Promise<void> => {
  const file = await open(path, 'wx');
  try {
    await file.truncate(sizeBytes);
    const last = sizeBytes / BLOCK_BYTES - 1;
    for (let block = 0; block < filledBlocks; block++) {
      const place = Math.floor((block * last) / Math.max(1, filledBlocks - 1));
      await file.write(randomBytes(BLOCK_BYTES), 0, BLOCK_BYTES, place * BLOCK_BYTES);
    }
  } finally {
    await file.close();
  }
};

export const readAt = async (file: FileHandle, offset: number, length: number): Promise<Buffer> => {
  const bytes = Buffer.alloc(length); // What lies beyond the file's end is zeros.
  await file.read(bytes, 0, length, offset);
  return bytes;
};

/** @returns the first offset, to 4 MiB, at which two files differ; null: they are the same. */
export const firstDifference = async (left: string, right: string): Promise<number | null> => {
  const files = [await open(left), await open(right)] as const;
  try {
    const [{ size }, other] = [await files[0].stat(), await files[1].stat()];
    if (size !== other.size) return Math.min(size, other.size);
    for (let at = 0; at < size; at += COMPARED_BYTES) {
      const [a, b] = await Promise.all([readAt(files[0], at, COMPARED_BYTES), readAt(files[1], at, COMPARED_BYTES)]);
      if (!a.equals(b)) return at;
    }
    return null;
  } finally {
    for (const file of files) await file.close();
  }
};
