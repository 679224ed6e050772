import { readFileSync } from 'node:fs';
import { DIGEST_BYTES, digestOfSync } from './block-store.ts';
import { writeFileDurably } from './durable-files.ts';
import { BLOCK_SIZE_BYTES, GIB, MAX_VOLUME_GIB } from './geometry.ts';

/** A snapshot's block index cannot be trusted: cut short, altered, or of another version. */
export class ManifestDamaged extends Error {
  override readonly name = 'ManifestDamaged';
}

/** The data key that a snapshot's blocks are under, as its volume had it wrapped. */
export interface KeyReference {
  readonly keyArn: string;
  readonly encryptedDataKey: string;
  readonly encryptionContext: Readonly<Record<string, string>>;
  readonly dataKeyId: string;
  /** Base64; equal for equal plaintext keys and tells nothing else of them. See `VolumeHeader`. */
  readonly keyCheck: string;
}

export interface ManifestHeader {
  readonly snapshotId: string;
  /** The volume it was taken of; absent for copies. */
  readonly volumeId?: string;
  readonly sizeGiB: number;
  readonly dataKey: KeyReference | null;
  /** The snapshot that this one is incremental to. */
  readonly parentSnapshotId: string | null;
}

const MAGIC = Buffer.from('HFMANIF1');
const ENTRY_BYTES = 4 + DIGEST_BYTES;
const MAX_HEADER_BYTES = 65_536;

/**
 * Which block of the store holds each block of a snapshot; blocks without an entry are holes and read as zeros.
 * File: magic, header length (u32 BE), header (JSON), entries (u32 BE block index ascending, digest), SHA-256 of all that.
 */
export class Manifest {
  readonly header: ManifestHeader;
  readonly #entries: Buffer;

  private constructor(header: ManifestHeader, entries: Buffer) {
    this.header = header;
    this.#entries = entries;
  }

  /** @param blocks by ascending block index. */
  static of(header: ManifestHeader, blocks: Iterable<readonly [number, Buffer]>): Manifest {
    const parts: Buffer[] = [];
    let previous = -1;
    for (const [index, digest] of blocks) {
      if (index <= previous || digest.length !== DIGEST_BYTES) throw new RangeError(`entry ${index} after ${previous}`);
      const entry = Buffer.allocUnsafe(ENTRY_BYTES);
      entry.writeUInt32BE(index, 0);
      digest.copy(entry, 4);
      parts.push(entry);
      previous = index;
    }
    if (previous >= blockCount(header.sizeGiB))
      throw new RangeError(`block ${previous} is beyond ${header.sizeGiB} GiB`);
    return new Manifest(header, Buffer.concat(parts));
  }

  /** @throws ManifestDamaged; ENOENT as the file system words it. */
  static read(path: string): Manifest {
    return Manifest.parse(readFileSync(path), path);
  }

  /** @param path named in what is thrown. @throws ManifestDamaged */
  static parse(file: Buffer, path: string): Manifest {
    const damaged = (reason: string) => new ManifestDamaged(`${path}: ${reason}`);
    if (file.length < MAGIC.length + 4 + DIGEST_BYTES) throw damaged('too short');
    const body = file.subarray(0, -DIGEST_BYTES);
    if (!digestOfSync(body).equals(file.subarray(-DIGEST_BYTES))) throw damaged('its digest does not match');
    if (!body.subarray(0, MAGIC.length).equals(MAGIC)) throw damaged('not a block index of this version');
    const headerBytes = body.readUInt32BE(MAGIC.length);
    const start = MAGIC.length + 4;
    if (headerBytes > MAX_HEADER_BYTES || start + headerBytes > body.length) throw damaged('header too long');
    const header = JSON.parse(body.subarray(start, start + headerBytes).toString()) as ManifestHeader;
    const entries = body.subarray(start + headerBytes);
    if (!isVolumeSize(header.sizeGiB)) throw damaged(`size ${String(header.sizeGiB)} GiB`);
    if (entries.length % ENTRY_BYTES !== 0) throw damaged('a cut entry');
    let previous = -1;
    for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
      const index = entries.readUInt32BE(at);
      if (index <= previous || index >= blockCount(header.sizeGiB)) throw damaged(`entry ${index} after ${previous}`);
      previous = index;
    }
    return new Manifest(header, entries);
  }

  /** Atomic: the file is there whole and durable, or not at all. */
  write(path: string): void {
    const header = Buffer.from(JSON.stringify(this.header));
    if (header.length > MAX_HEADER_BYTES) throw new RangeError(`header of ${header.length} bytes`);
    const length = Buffer.alloc(4);
    length.writeUInt32BE(header.length);
    const body = Buffer.concat([MAGIC, length, header, this.#entries]);
    writeFileDurably(path, Buffer.concat([body, digestOfSync(body)]));
  }

  withHeader(header: ManifestHeader): Manifest {
    if (header.sizeGiB < this.header.sizeGiB) throw new RangeError('a copy is not smaller than its source');
    return new Manifest(header, this.#entries);
  }

  /** How many blocks are not holes. */
  get length(): number {
    return this.#entries.length / ENTRY_BYTES;
  }

  /** @returns the digest of a block; undefined for a hole. */
  digest(blockIndex: number): Buffer | undefined {
    let low = 0;
    let high = this.length - 1;
    while (low <= high) {
      const middle = (low + high) >>> 1;
      const index = this.#entries.readUInt32BE(middle * ENTRY_BYTES);
      if (index === blockIndex) return this.#digestAt(middle);
      if (index < blockIndex) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  *[Symbol.iterator](): Generator<readonly [number, Buffer]> {
    for (let entry = 0; entry < this.length; entry++) {
      yield [this.#entries.readUInt32BE(entry * ENTRY_BYTES), this.#digestAt(entry)];
    }
  }

  #digestAt(entry: number): Buffer {
    const at = entry * ENTRY_BYTES + 4;
    return this.#entries.subarray(at, at + DIGEST_BYTES);
  }
}

/** Blocks in a volume of so many GiB. */
export const blockCount = (sizeGiB: number): number => (sizeGiB * GIB) / BLOCK_SIZE_BYTES;

/** Whole blocks, at least one. AWS has whole GiB only, which its callers see to. */
export const isVolumeSize = (sizeGiB: unknown): sizeGiB is number =>
  typeof sizeGiB === 'number' && sizeGiB > 0 && sizeGiB <= MAX_VOLUME_GIB && Number.isSafeInteger(blockCount(sizeGiB));
