import { crc32 } from 'node:zlib';
import type { BackingFile, OpenFile } from './backing-file.ts';
import { existsSync, readFileSync } from 'node:fs';
import { DIGEST_BYTES } from './block-store.ts';

const RECORD_BYTES = 4 + DIGEST_BYTES + 4;
const HOLE = Buffer.alloc(DIGEST_BYTES);
/** Of a journal that is written ahead of its records. */
const RESERVED_RECORDS = 1_600;

/** Blocks of a snapshot that are in the store already: u32 BE index, digest (zero: a hole), CRC-32, one record each. */
export class BlockJournal {
  /** Null: a hole. */
  readonly entries: ReadonlyMap<number, Buffer | null>;
  readonly #entries: Map<number, Buffer | null>;
  readonly #file: BackingFile;
  readonly #reservedRecords: number;
  #end: number;

  private constructor(file: BackingFile, reservedRecords: number) {
    this.#file = file;
    this.#reservedRecords = reservedRecords;
    const bytes = Buffer.alloc(file.sizeBytes);
    file.readSync(bytes, 0);
    this.#entries = new Map(parseRecords(bytes));
    this.entries = this.#entries;
    this.#end = Math.ceil(writtenBytes(bytes) / RECORD_BYTES) * RECORD_BYTES;
  }

  /**
   * @param isReserved written ahead of its records with zeros, which are none: a record that does not make the file longer is
   * durable without the file system's own journal, which is most of the wait.
   */
  static open(path: string, openFile: OpenFile, { isReserved = false } = {}): BlockJournal {
    return new BlockJournal(
      openFile(path, existsSync(path) ? 'existing' : 'create'),
      isReserved ? RESERVED_RECORDS : 0,
    );
  }

  /** Durable after `sync`. */
  append(blocks: readonly (readonly [number, Buffer | null])[]): void {
    const bytes = Buffer.concat(blocks.map(([index, digest]) => record(index, digest)));
    const end = this.#end + bytes.length;
    if (this.#reservedRecords > 0 && end > this.#file.sizeBytes)
      this.#file.writeSync(Buffer.concat([bytes, Buffer.alloc(this.#reservedRecords * RECORD_BYTES)]), this.#end);
    else this.#file.writeSync(bytes, this.#end);
    this.#end = end;
    for (const [index, digest] of blocks) this.#entries.set(index, digest);
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  close(): void {
    this.#file.close();
  }
}

/** For the collector: the digests in another process's journal. */
export const readJournal = (path: string): readonly Buffer[] =>
  [...parseRecords(readFileSync(path))].flatMap(([, digest]) => (digest === null ? [] : [digest]));

/** How many blocks a journal file of so many bytes names, about: torn records count. Not of one that is written ahead. */
export const journalLength = (sizeBytes: number): number => Math.floor(sizeBytes / RECORD_BYTES);

const record = (index: number, digest: Buffer | null): Buffer => {
  const bytes = Buffer.alloc(RECORD_BYTES);
  bytes.writeUInt32BE(index, 0);
  (digest ?? HOLE).copy(bytes, 4);
  // Starts from 1, so that a record of zeros, which a lost write leaves behind, is not a valid one.
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 4 + DIGEST_BYTES), 1), 4 + DIGEST_BYTES);
  return bytes;
};

/** Without the zeros at the end, which were reserved, or which a lost write left behind. */
const writtenBytes = (bytes: Buffer): number => {
  let end = bytes.length;
  while (end > 0 && bytes[end - 1] === 0) end--;
  return end;
};

/** Skips what a crash tore: each record stands for itself. */
function* parseRecords(bytes: Buffer): Generator<[number, Buffer | null]> {
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    const body = bytes.subarray(at, at + 4 + DIGEST_BYTES);
    if (bytes.readUInt32BE(at + 4 + DIGEST_BYTES) !== crc32(body, 1)) continue;
    const digest = Buffer.from(body.subarray(4));
    yield [body.readUInt32BE(0), digest.equals(HOLE) ? null : digest];
  }
}
