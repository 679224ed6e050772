import { existsSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import type { BackingFile, OpenFile } from './backing-file.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';

const MAGIC = Buffer.from('HFSPILL1');
const HEADER_BYTES = 4_096;
const SLOT_BYTES = HEADER_BYTES + BLOCK_SIZE_BYTES;

/**
 * Blocks that the guest overwrote before the snapshot copied them, in slots that are used again once copied. Slot: magic,
 * block index (u32 BE), CRC-32 of the block (u32 BE), padding to 4 KiB, the block.
 */
export class SpillFile {
  readonly #file: BackingFile;
  readonly #slots = new Map<number, number>();
  readonly #free: number[] = [];
  #slotCount: number;

  private constructor(file: BackingFile) {
    this.#file = file;
    this.#slotCount = Math.ceil(file.sizeBytes / SLOT_BYTES);
    const slot = Buffer.alloc(SLOT_BYTES);
    for (let place = 0; place < this.#slotCount; place++) {
      const block = place * SLOT_BYTES + SLOT_BYTES <= file.sizeBytes ? this.#load(place, slot) : null;
      // The guest's write came after the slot's sync: a slot that is not whole protects nothing.
      if (block === null || this.#slots.has(block)) this.#free.push(place);
      else this.#slots.set(block, place);
    }
  }

  static open(path: string, openFile: OpenFile): SpillFile {
    return new SpillFile(openFile(path, existsSync(path) ? 'existing' : 'create'));
  }

  /** How many blocks it holds. */
  get size(): number {
    return this.#slots.size;
  }

  has(block: number): boolean {
    return this.#slots.has(block);
  }

  blocks(): readonly number[] {
    return [...this.#slots.keys()];
  }

  /** Durable when it returns. */
  keep(block: number, content: Buffer): void {
    const place = this.#free.pop() ?? this.#slotCount++;
    const header = Buffer.alloc(HEADER_BYTES);
    MAGIC.copy(header);
    header.writeUInt32BE(block, 8);
    header.writeUInt32BE(crc32(content), 12);
    this.#file.writeSync(content, place * SLOT_BYTES + HEADER_BYTES);
    this.#file.writeSync(header, place * SLOT_BYTES);
    this.#file.syncSync();
    this.#slots.set(block, place);
  }

  async read(block: number, target: Buffer): Promise<void> {
    const place = this.#slots.get(block);
    if (place === undefined) throw new Error(`block ${block} is not in the spill file`);
    await this.#file.read(target, place * SLOT_BYTES + HEADER_BYTES);
  }

  /** The slot may be used again. */
  release(block: number): void {
    const place = this.#slots.get(block);
    if (place === undefined) return;
    this.#slots.delete(block);
    this.#free.push(place);
  }

  close(): void {
    this.#file.close();
  }

  #load(place: number, slot: Buffer): number | null {
    this.#file.readSync(slot, place * SLOT_BYTES);
    if (!slot.subarray(0, MAGIC.length).equals(MAGIC)) return null;
    return slot.readUInt32BE(12) === crc32(slot.subarray(HEADER_BYTES)) ? slot.readUInt32BE(8) : null;
  }
}
