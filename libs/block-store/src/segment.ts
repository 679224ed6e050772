import { randomBytes } from 'node:crypto';
import { DIGEST_BYTES, digestOfSync } from './digests.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';

/** Blocks in one object: 32 MiB. */
export const SEGMENT_BLOCKS = 64;
/** Magic, how many blocks (u32 BE), their digests, SHA-256 of all that; zeros up to the first block. */
export const SEGMENT_HEADER_BYTES = 4_096;
/** What memory is taken for at first: most segments that are closed early have fewer. */
const FIRST_BLOCKS = 8;
const MAGIC = Buffer.from('HFSEGMT1');
const NAME = /^[0-9a-f]{32}-([0-9a-f]{2})$/;
const LINK = /^([0-9a-f]{32}-[0-9a-f]{2}):(\d{1,2})$/;

/** Under which keys segments are. */
export const SEGMENTS_PREFIX = 'segments/';
export const segmentKey = (segment: string): string => SEGMENTS_PREFIX + segment;

/** @returns the segment that a key names, or null for a key that is not a segment's. */
export const segmentOfKey = (key: string): string | null => {
  const segment = key.startsWith(SEGMENTS_PREFIX) ? key.slice(SEGMENTS_PREFIX.length) : '';
  return blocksOfSegment(segment) === null ? null : segment;
};

/** How many blocks a segment has is part of its name. @returns null for a name that is none. */
export const blocksOfSegment = (segment: string): number | null => {
  const count = Number.parseInt(NAME.exec(segment)?.[1] ?? '', 16);
  return count >= 1 && count <= SEGMENT_BLOCKS ? count : null;
};

/** Where a block is. */
export interface BlockPlace {
  readonly segment: string;
  /** 0-based, in the segment. */
  readonly place: number;
}

/** The target of the symbolic link that stands for a block in the index. */
export const linkTarget = ({ segment, place }: BlockPlace): string => `${segment}:${place}`;

export const parseLinkTarget = (target: string): BlockPlace | null => {
  const [, segment, place] = LINK.exec(target) ?? [];
  if (segment === undefined || Number(place) >= (blocksOfSegment(segment) ?? 0)) return null;
  return { segment, place: Number(place) };
};

export const offsetOfPlace = (place: number): number => SEGMENT_HEADER_BYTES + place * BLOCK_SIZE_BYTES;

/** A segment that is being filled, then written as one object. */
export class SegmentDraft {
  #body = Buffer.from(new ArrayBuffer(offsetOfPlace(FIRST_BLOCKS)));
  readonly #digests = new Map<string, Buffer>();
  #name: string | null = null;

  get isFull(): boolean {
    return this.#digests.size >= SEGMENT_BLOCKS;
  }

  get size(): number {
    return this.#digests.size;
  }

  has(digest: Buffer): boolean {
    return this.#digests.has(digest.toString('hex'));
  }

  /** Takes a copy. */
  add(digest: Buffer, bytes: Uint8Array): void {
    if (this.#name !== null || this.isFull) throw new Error('the segment takes no block any more');
    const at = offsetOfPlace(this.#digests.size);
    if (at >= this.#body.length) this.#grow();
    this.#body.set(bytes, at);
    this.#digests.set(digest.toString('hex'), Buffer.from(digest));
  }

  /** Its blocks in the order of their places. */
  get digests(): readonly Buffer[] {
    return [...this.#digests.values()];
  }

  /** From the first call on nothing is added. */
  get name(): string {
    this.#name ??= `${randomBytes(16).toString('hex')}-${this.#digests.size.toString(16).padStart(2, '0')}`;
    return this.#name;
  }

  #grow(): void {
    const larger = Buffer.from(new ArrayBuffer(offsetOfPlace(SEGMENT_BLOCKS)));
    larger.set(this.#body);
    this.#body = larger;
  }

  seal(): Buffer<ArrayBuffer> {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(blocksOfSegment(this.name) ?? 0);
    const head = Buffer.concat([MAGIC, count, ...this.digests]);
    this.#body.fill(0, 0, SEGMENT_HEADER_BYTES);
    this.#body.set(Buffer.concat([head, digestOfSync(head)]), 0);
    return this.#body.subarray(0, offsetOfPlace(this.#digests.size));
  }
}

/** @param header the first SEGMENT_HEADER_BYTES of an object. @returns the digests by place; null: it is no segment. */
export const parseSegmentHeader = (header: Buffer): readonly Buffer[] | null => {
  if (header.length < SEGMENT_HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) return null;
  const count = header.readUInt32BE(MAGIC.length);
  if (count < 1 || count > SEGMENT_BLOCKS) return null;
  const start = MAGIC.length + 4;
  const end = start + count * DIGEST_BYTES;
  if (!digestOfSync(header.subarray(0, end)).equals(header.subarray(end, end + DIGEST_BYTES))) return null;
  return Array.from({ length: count }, (_, place) =>
    header.subarray(start + place * DIGEST_BYTES, start + (place + 1) * DIGEST_BYTES),
  );
};
