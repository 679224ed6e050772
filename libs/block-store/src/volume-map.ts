import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { BackingFile, OpenFile } from './backing-file.ts';
import { Bitmap } from './bitmap.ts';
import { writeFileDurably } from './durable-files.ts';

const MAGIC = Buffer.from('HFVMAP1\0');
const PAGE_BYTES = 4_096;
/** Written in one sector, which disks do not tear. */
const HEADER_BYTES = 512;
const BOOT_ID_BYTES = 36;
const BASELINE_BYTES = 64;

const runningBoot = (() => {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return 'unknown';
  }
})();

export interface VolumeMapOptions {
  readonly openFile: OpenFile;
  /** Identifies the running kernel; bits written under the same one are in its page cache even after `kill -9`. */
  readonly bootId?: string;
}

interface Contents {
  readonly changed: Bitmap;
  readonly used: Bitmap;
  /** Blocks of a lazily restored volume that are here; null: all are. */
  readonly present: Bitmap | null;
  readonly baseline: string | null;
}

/**
 * What is known of a volume's blocks, in memory and in one file beside its data:
 * - `changed` since `baseline`, the snapshot that the next one is incremental to (null: since the volume was empty);
 * - `used`: the others are known to be all zero;
 * - `present`: while blocks of its source snapshot are still missing.
 *
 * A bit reaches the file before the block's data does, without a sync: that survives the process. Against the loss of the
 * machine there is a durable mark, set before the first write after an idle moment and taken back by `saveClean`. A map
 * found marked by an earlier boot says `changed` and `used` of every block, so that the next snapshot reads them all and
 * stores only those whose digest is new. `present` then comes from its durable copy, which follows the data's flush.
 */
export class VolumeMap {
  readonly changed: Bitmap;
  readonly used: Bitmap;
  #present: Bitmap | null;
  #baseline: string | null;
  #clean: boolean;
  #unsavedPresent = false;
  #flushing: Promise<void> = Promise.resolve();
  /** Counts bits and writes; tells `saveClean` whether anything happened meanwhile. */
  #activity = 0;
  readonly #file: BackingFile;
  readonly #bootId: string;

  private constructor(file: BackingFile, bootId: string, contents: Contents, clean: boolean) {
    this.#file = file;
    this.#bootId = bootId;
    this.changed = contents.changed;
    this.used = contents.used;
    this.#present = contents.present;
    this.#baseline = contents.baseline;
    this.#clean = clean;
  }

  /** Makes the map of a new volume, durable when it returns. `used` and `present` absent: empty, and nothing missing. */
  static create(path: string, blocks: number, contents: Partial<Contents>): void {
    const empty = () => new Bitmap(blocks);
    const { changed = empty(), used = empty(), present = null, baseline = null } = contents;
    const bitmaps = [changed, used, ...(present === null ? [] : [present, present])];
    const region = regionBytes(blocks);
    const file = Buffer.alloc(PAGE_BYTES + region * bitmaps.length);
    encodeHeader({ blocks, clean: true, bootId: '', baseline, hasPresent: present !== null }).copy(file);
    bitmaps.forEach((bitmap, place) => bitmap.bytes.copy(file, PAGE_BYTES + place * region));
    writeFileDurably(path, file);
  }

  /** @param missing blocks of the source snapshot, where hydration is not finished. */
  static open(path: string, blocks: number, { openFile, bootId = runningBoot }: VolumeMapOptions): VolumeMap {
    const file = openFile(path, 'existing');
    const head = Buffer.alloc(HEADER_BYTES);
    file.readSync(head, 0);
    const header = decodeHeader(head);
    const region = regionBytes(blocks);
    const load = (place: number) => {
      const bytes = Buffer.alloc(Bitmap.bytesFor(blocks));
      file.readSync(bytes, PAGE_BYTES + place * region);
      return new Bitmap(blocks, bytes);
    };
    const full = () => {
      const bitmap = new Bitmap(blocks);
      bitmap.setAll();
      return bitmap;
    };
    const hasPresent = file.sizeBytes >= PAGE_BYTES + 4 * region;
    const trusted =
      header !== null &&
      header.blocks === blocks &&
      (header.clean || (header.bootId === bootId && bootId !== 'unknown'));
    const contents: Contents = {
      changed: trusted ? load(0) : full(),
      used: trusted ? load(1) : full(),
      present: hasPresent ? load(trusted ? 2 : 3) : null,
      baseline: header?.baseline ?? null,
    };
    const map = new VolumeMap(file, bootId, contents, trusted && header.clean);
    if (!trusted) map.#rewrite();
    return map;
  }

  /**
   * Makes room in the file for more blocks, unused ones; durable and whole, or not done. A map that is as large stays. Whoever
   * has the file open opens it again.
   */
  static extend(path: string, blocks: number): void {
    const old = readFileSync(path);
    const header = decodeHeader(old.subarray(0, HEADER_BYTES));
    if (header === null || header.blocks >= blocks) return; // Without header nothing is known: `open` sees to that.
    const [from, to] = [regionBytes(header.blocks), regionBytes(blocks)];
    const places = Math.floor((old.length - PAGE_BYTES) / from);
    const file = Buffer.alloc(PAGE_BYTES + places * to);
    encodeHeader({ ...header, blocks }).copy(file);
    for (let place = 0; place < places; place++) {
      const at = PAGE_BYTES + place * from;
      const bitmap = new Bitmap(blocks);
      old.copy(bitmap.bytes, 0, at, at + Bitmap.bytesFor(header.blocks));
      // What is new is nothing that could be missing.
      if (place >= 2) for (let block = header.blocks; block < blocks; block++) bitmap.set(block);
      bitmap.bytes.copy(file, PAGE_BYTES + place * to);
    }
    writeFileDurably(path, file);
  }

  /** Whether a loss of power would leave nothing to look for. */
  get isClean(): boolean {
    return this.#clean;
  }

  get baseline(): string | null {
    return this.#baseline;
  }

  /** Whether the block's bytes are here rather than in the source snapshot only. */
  isPresent(block: number): boolean {
    return this.#present === null || this.#present.get(block);
  }

  /** Blocks still to be fetched from the source. */
  get missing(): number {
    return this.#present === null ? 0 : this.#present.length - this.#present.count;
  }

  nextMissing(from: number): number {
    if (this.#present === null) return -1;
    for (let block = from; block < this.#present.length; block++) if (!this.#present.get(block)) return block;
    return -1;
  }

  /** Called before a write: from here until `saveClean`, a loss of power makes the bits untrustworthy, durably said so. */
  beginWrite(): void {
    this.#activity++;
    if (!this.#clean) return;
    this.#writeHeader(false);
    this.#file.syncSync();
    this.#clean = false;
  }

  /** Called after beginWrite and before the block's data is written. */
  markChanged(block: number): void {
    if (this.changed.set(block)) this.#writeByte(0, this.changed, block);
    if (this.used.set(block)) this.#writeByte(1, this.used, block);
  }

  /** Called after the whole block has been zeroed. */
  markUnused(block: number): void {
    if (this.used.clear(block)) this.#writeByte(1, this.used, block);
  }

  /** Called after the block's data is in the file. */
  markPresent(block: number): void {
    if (this.#present === null || !this.#present.set(block)) return;
    this.#unsavedPresent = true;
    this.#writeByte(2, this.#present, block);
  }

  /**
   * A guest's flush: `syncData`, and then the bits of blocks whose data that made durable, so that a loss of power does not
   * fetch the source's block over flushed data.
   */
  async flush(syncData: () => Promise<void>): Promise<void> {
    if (this.#present === null) return syncData();
    const flushed = this.#flushing.catch(() => undefined).then(() => this.#flushPresent(syncData));
    this.#flushing = flushed;
    return flushed;
  }

  async #flushPresent(syncData: () => Promise<void>): Promise<void> {
    const bits = this.#present === null || !this.#unsavedPresent ? null : Buffer.from(this.#present.bytes);
    this.#unsavedPresent = false;
    try {
      await syncData();
      if (bits === null) return;
      this.#file.writeSync(bits, PAGE_BYTES + 3 * regionBytes(this.changed.length));
      await this.#file.sync();
    } catch (error) {
      this.#unsavedPresent = true;
      throw error;
    }
  }

  /**
   * The second half of a flush at once: for a freeze, which has made the data durable and can't be interrupted.
   * `evenIfSaving`: also what a flush under way is about to save.
   */
  savePresentSync({ evenIfSaving = false } = {}): void {
    if (this.#present === null || !(this.#unsavedPresent || evenIfSaving)) return;
    this.#file.writeSync(this.#present.bytes, PAGE_BYTES + 3 * regionBytes(this.changed.length));
    this.#file.syncSync();
    this.#unsavedPresent = false;
  }

  /** The source is not needed any more. */
  forgetPresent(): void {
    this.#present = null;
  }

  /** A snapshot begins here: nothing has changed since. */
  startEpoch(baseline: string): void {
    this.changed.clearAll();
    this.#baseline = baseline;
    this.#rewrite();
  }

  /** Takes the mark back, after `syncData`; does nothing if writes go on meanwhile. @returns whether the map is clean. */
  async saveClean(syncData: () => Promise<void>): Promise<boolean> {
    if (this.#clean) return true;
    const before = this.#activity;
    await syncData();
    await this.#file.sync();
    if (before !== this.#activity) return false;
    this.#writeHeader(true);
    // A write that comes while this is on its way puts the mark back, after it and durably.
    this.#clean = true;
    await this.#file.sync();
    return this.#clean;
  }

  close(): void {
    this.#file.close();
  }

  #writeByte(place: number, bitmap: Bitmap, block: number): void {
    const at = block >>> 3;
    this.#file.writeSync(bitmap.bytes.subarray(at, at + 1), PAGE_BYTES + place * regionBytes(bitmap.length) + at);
  }

  /**
   * Order matters only to the process, as the mark stays set; made durable by the next saveClean. Meanwhile there is no header: whoever
   * is killed between two of the writes leaves a map that nobody trusts, and not changes since another baseline.
   */
  #rewrite(): void {
    this.#clean = false;
    this.#activity++;
    const region = regionBytes(this.changed.length);
    this.#file.writeSync(Buffer.alloc(HEADER_BYTES), 0);
    this.#file.writeSync(this.changed.bytes, PAGE_BYTES);
    this.#file.writeSync(this.used.bytes, PAGE_BYTES + region);
    if (this.#present !== null) this.#file.writeSync(this.#present.bytes, PAGE_BYTES + 2 * region);
    this.#writeHeader(false);
    this.#file.syncSync();
  }

  #writeHeader(clean: boolean): void {
    const { length: blocks } = this.changed;
    const hasPresent = this.#present !== null;
    const baseline = this.#baseline;
    this.#file.writeSync(encodeHeader({ blocks, clean, bootId: this.#bootId, baseline, hasPresent }), 0);
  }
}

interface Header {
  readonly blocks: number;
  readonly clean: boolean;
  readonly bootId: string;
  readonly baseline: string | null;
  readonly hasPresent: boolean;
}

const regionBytes = (blocks: number) => Math.ceil(Bitmap.bytesFor(blocks) / PAGE_BYTES) * PAGE_BYTES;

const encodeHeader = ({ blocks, clean, bootId, baseline, hasPresent }: Header): Buffer => {
  const bytes = Buffer.alloc(HEADER_BYTES);
  MAGIC.copy(bytes);
  bytes.writeUInt32BE(blocks, 8);
  bytes[12] = clean ? 1 : 0;
  bytes[13] = hasPresent ? 1 : 0;
  bytes.write(bootId, 16, BOOT_ID_BYTES, 'latin1');
  bytes.write(baseline ?? '', 64, BASELINE_BYTES, 'latin1');
  bytes.writeUInt32BE(crc32(bytes.subarray(0, HEADER_BYTES - 4)), HEADER_BYTES - 4);
  return bytes;
};

const text = (bytes: Buffer) => bytes.toString('latin1').replace(/\0+$/, '');

const decodeHeader = (bytes: Buffer): Header | null => {
  const valid =
    bytes.subarray(0, MAGIC.length).equals(MAGIC) &&
    bytes.readUInt32BE(HEADER_BYTES - 4) === crc32(bytes.subarray(0, HEADER_BYTES - 4));
  if (!valid) return null;
  const baseline = text(bytes.subarray(64, 64 + BASELINE_BYTES));
  return {
    blocks: bytes.readUInt32BE(8),
    clean: bytes[12] === 1,
    hasPresent: bytes[13] === 1,
    bootId: text(bytes.subarray(16, 16 + BOOT_ID_BYTES)),
    baseline: baseline === '' ? null : baseline,
  };
};
