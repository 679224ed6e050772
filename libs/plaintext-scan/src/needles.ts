/** As many bytes are looked up at once, as one number. */
const GRAM_BYTES = 4;
/** Shorter needles are looked for one by one: there would be little to pass over. */
const MIN_SAMPLED_BYTES = 16;
const FILTER_BITS = 16;

interface Place {
  readonly needle: Buffer;
  /** Of the gram in the needle. */
  readonly offset: number;
}

const filterSlot = (gram: number): number => Math.imul(gram, 0x9e3779b1) >>> (32 - FILTER_BITS);

/**
 * Texts to look for all at once. Wherever a long one is, it lies over one of the places that are `stride` bytes apart, and
 * the bytes there are some bytes of it: only those places are looked at, however many texts there are.
 */
export class Needles {
  /** Bytes that two pieces of a file must have in common, so that nothing is missed between them. */
  readonly overlapBytes: number;
  private readonly short: readonly Buffer[];
  private readonly stride: number = 1;
  private readonly places = new Map<number, Place[]>();
  /** Whether any gram has this slot: most places are passed over by it. */
  private readonly filter = new Uint8Array(1 << FILTER_BITS);

  constructor(needles: readonly Buffer[]) {
    this.overlapBytes = Math.max(1, ...needles.map(({ length }) => length)) - 1;
    this.short = needles.filter(({ length }) => length < MIN_SAMPLED_BYTES);
    const long = needles.filter(({ length }) => length >= MIN_SAMPLED_BYTES);
    if (long.length === 0) return;
    this.stride = Math.min(...long.map(({ length }) => length)) - GRAM_BYTES + 1;
    for (const needle of long) for (let offset = 0; offset < this.stride; offset++) this.add({ needle, offset });
  }

  /** Whether one of them is in these bytes. */
  areIn(bytes: Buffer): boolean {
    return this.isLongIn(bytes) || this.short.some((needle) => bytes.includes(needle));
  }

  private isLongIn(bytes: Buffer): boolean {
    if (this.places.size === 0) return false;
    for (let at = 0; at + GRAM_BYTES <= bytes.length; at += this.stride) {
      const gram = bytes.readInt32LE(at);
      if (this.filter[filterSlot(gram)] === 1 && this.isAround(bytes, at, gram)) return true;
    }
    return false;
  }

  private isAround(bytes: Buffer, at: number, gram: number): boolean {
    return (this.places.get(gram) ?? []).some(({ needle, offset }) => {
      const start = at - offset;
      const end = start + needle.length;
      return start >= 0 && end <= bytes.length && bytes.compare(needle, 0, needle.length, start, end) === 0;
    });
  }

  private add(place: Place): void {
    const gram = place.needle.readInt32LE(place.offset);
    this.filter[filterSlot(gram)] = 1;
    const there = this.places.get(gram);
    if (there === undefined) this.places.set(gram, [place]);
    else there.push(place);
  }
}
