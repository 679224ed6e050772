/** Set bits by byte: a volume's bits are counted whenever it is opened. */
const SET_BITS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll('0', '').length);

/** Bits by index, least significant first in each byte; `bytes` is its form on disk. */
export class Bitmap {
  readonly length: number;
  readonly bytes: Buffer;
  #count = 0;

  /** @throws RangeError when `bytes` is given with another length than `length` bits need. */
  constructor(length: number, bytes?: Buffer) {
    this.length = length;
    this.bytes = bytes ?? Buffer.alloc(Bitmap.bytesFor(length));
    if (this.bytes.length !== Bitmap.bytesFor(length))
      throw new RangeError(`bitmap of ${length} bits, not ${this.bytes.length} bytes`);
    if (bytes !== undefined) this.#recount();
  }

  static bytesFor(length: number): number {
    return Math.ceil(length / 8);
  }

  /** How many bits are set. */
  get count(): number {
    return this.#count;
  }

  get(index: number): boolean {
    return ((this.bytes[index >>> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** @returns whether the bit was clear. */
  set(index: number): boolean {
    if (index < 0 || index >= this.length) throw new RangeError(`bit ${index} of ${this.length}`);
    const byte = this.bytes[index >>> 3] ?? 0;
    const mask = 1 << (index & 7);
    if ((byte & mask) !== 0) return false;
    this.bytes[index >>> 3] = byte | mask;
    this.#count++;
    return true;
  }

  /** @returns whether the bit was set. */
  clear(index: number): boolean {
    const byte = this.bytes[index >>> 3] ?? 0;
    const mask = 1 << (index & 7);
    if ((byte & mask) === 0) return false;
    this.bytes[index >>> 3] = byte & ~mask;
    this.#count--;
    return true;
  }

  setAll(): void {
    this.bytes.fill(0xff);
    const spare = this.bytes.length * 8 - this.length;
    const last = this.bytes.length - 1;
    if (spare > 0) this.bytes[last] = 0xff >>> spare;
    this.#count = this.length;
  }

  clearAll(): void {
    this.bytes.fill(0);
    this.#count = 0;
  }

  clone(): Bitmap {
    return new Bitmap(this.length, Buffer.from(this.bytes));
  }

  /** @returns the first set bit at or after `from`, or -1. */
  next(from: number): number {
    let index = from;
    while (index < this.length) {
      const byte = this.bytes[index >>> 3] ?? 0;
      if (byte >>> (index & 7) === 0) {
        index = (index | 7) + 1;
        continue;
      }
      if ((byte & (1 << (index & 7))) !== 0) return index;
      index++;
    }
    return -1;
  }

  /** Set bits in ascending order. */
  *[Symbol.iterator](): Generator<number> {
    for (let index = this.next(0); index !== -1; index = this.next(index + 1)) yield index;
  }

  #recount(): void {
    const spare = this.bytes.length * 8 - this.length;
    const last = this.bytes.length - 1;
    if (spare > 0) this.bytes[last] = (this.bytes[last] ?? 0) & (0xff >>> spare);
    let count = 0;
    for (const byte of this.bytes) count += SET_BITS[byte] ?? 0;
    this.#count = count;
  }
}
