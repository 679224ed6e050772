import { alignedMemory } from './aligned-memory.ts';
import { BLOCK_BYTES } from './frames.ts';

/**
 * Memory for blocks, used again: half a MiB from the allocator for each block costs as much as digesting it does, in page
 * faults and in collections of garbage.
 */
export class BlockBuffers {
  readonly #free: Buffer<ArrayBuffer>[] = [];
  readonly #kept: number;
  /** What is kept is all in here; null: what comes is kept. */
  readonly #pages: ArrayBuffer | null;

  /**
   * @param kept free ones that are not given back to the allocator.
   * @param aligned those that are kept start at a page, as files want it that are read and written past the page cache.
   */
  constructor(kept: number, { aligned = false } = {}) {
    this.#kept = kept;
    this.#pages = aligned ? pagesFor(kept) : null;
    for (let at = 0; this.#pages !== null && at < kept; at++)
      this.#free.push(Buffer.from(this.#pages, at * BLOCK_BYTES, BLOCK_BYTES));
  }

  take(): Buffer<ArrayBuffer> {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  /** Nobody reads or writes it any more. */
  giveBack(buffer: Buffer<ArrayBuffer>): void {
    const isOurs = this.#pages === null || buffer.buffer === this.#pages;
    if (isOurs && this.#free.length < this.#kept) this.#free.push(buffer);
  }
}

/** @returns null where there is no address space for it: memory from the allocator does as well, more slowly. */
const pagesFor = (count: number): ArrayBuffer | null => {
  try {
    return alignedMemory(count * BLOCK_BYTES);
  } catch {
    return null;
  }
};
