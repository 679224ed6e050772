/** Draws that a seed repeats: mulberry32. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, below 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** At least `from`, at most `to`. */
  int(from: number, to: number): number {
    return from + Math.floor(this.next() * (to - from + 1));
  }

  /** Undefined: there is nothing to choose from. */
  pick<Item>(items: readonly Item[]): Item | undefined {
    return items[Math.floor(this.next() * items.length)];
  }

  /** Nothing that an encryption would leave as it is, nor a unit twice. */
  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length, 1 + this.int(0, 254));
    for (let at = 0; at + 4 <= length; at += 512) bytes.writeUInt32LE(this.int(1, 0xffff_ffff), at);
    return bytes;
  }
}
