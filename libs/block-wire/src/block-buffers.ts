import { BLOCK_BYTES } from './frames.ts';

/**
 * Memory for blocks, used again: half a MiB from the allocator for each block costs as much as digesting it does, in page
 * faults and in collections of garbage.
 */
export class BlockBuffers {
  readonly #free: Buffer<ArrayBuffer>[] = [];
  readonly #kept: number;

  /** @param kept free ones that are not given back to the allocator. */
  constructor(kept: number) {
    this.#kept = kept;
  }

  take(): Buffer<ArrayBuffer> {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
  }

  /** Nobody reads or writes it any more. */
  giveBack(buffer: Buffer<ArrayBuffer>): void {
    if (this.#free.length < this.#kept) this.#free.push(buffer);
  }
}
