import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Extent } from '@holdfast/nbd';
import type { BlockDevice, SectorCipher, SyncDevice } from './block-device.ts';
import { EncryptedDevice } from './encrypted-device.ts';
import { assertRange, BLOCK_SIZE_BYTES, UNIT_SIZE_BYTES as UNIT } from './geometry.ts';
import type { VolumeFile } from './volume-file.ts';

/** Blocks zeroed in one turn of the event loop, so that other requests go on. */
const ZERO_BLOCKS_PER_TURN = 8;
/** Blocks one answer about allocation looks at. */
const EXTENT_BLOCKS = 65_536;

/**
 * A volume as its guest sees it. Whatever must be waited for (a block still in the source snapshot, room in a spill file)
 * is waited for first; the access itself is then synchronous and so atomic on the event loop.
 */
export class GuestDevice implements BlockDevice {
  readonly readOnly = false;
  readonly #volume: VolumeFile;
  readonly #cipher: SectorCipher | null;
  readonly #top: SyncDevice;

  /** @param cipher null: the volume is not encrypted. */
  constructor(volume: VolumeFile, cipher: SectorCipher | null) {
    this.#volume = volume;
    this.#cipher = cipher;
    this.#top = this.#onTopOf(volume);
  }

  /** Grows when the volume does. */
  get sizeBytes(): number {
    return this.#volume.sizeBytes;
  }

  read(offsetBytes: number, target: Buffer): void | Promise<void> {
    assertRange(offsetBytes, target.length, this.sizeBytes);
    this.#volume.accesses++;
    const ready = this.#volume.prepareRead(offsetBytes, target.length);
    if (ready !== undefined)
      return ready.then(
        () => this.read(offsetBytes, target),
        (error: unknown) => this.#readWithoutRoom(error, offsetBytes, target),
      );
    if (this.#volume.isDirect) return this.#readDirect(offsetBytes, target);
    if (this.#volume.pace.isSlow) return this.#readOffLoop(offsetBytes, target);
    this.#top.readSync(offsetBytes, target);
  }

  write(offsetBytes: number, data: Buffer): void | Promise<void> {
    assertRange(offsetBytes, data.length, this.sizeBytes);
    this.#volume.accesses++;
    const ready = this.#volume.prepareWrite(offsetBytes, data.length);
    if (ready !== undefined) return ready.then(() => this.write(offsetBytes, data));
    this.#top.writeSync(offsetBytes, data);
  }

  flush(): Promise<void> {
    return this.#volume.flush();
  }

  trim(offsetBytes: number, lengthBytes: number): void | Promise<void> {
    return this.writeZeroes(offsetBytes, lengthBytes, { mayTrim: true });
  }

  writeZeroes(offsetBytes: number, lengthBytes: number, { mayTrim }: { mayTrim: boolean }): void | Promise<void> {
    assertRange(offsetBytes, lengthBytes, this.sizeBytes);
    this.#volume.accesses++;
    return this.#zero(offsetBytes, offsetBytes + lengthBytes, mayTrim);
  }

  extents(offsetBytes: number, lengthBytes: number): readonly Extent[] {
    assertRange(offsetBytes, lengthBytes, this.sizeBytes);
    const found: Extent[] = [];
    const end = offsetBytes + lengthBytes;
    const { used } = this.#volume.map;
    for (let at = offsetBytes, looked = 0; at < end && looked < EXTENT_BLOCKS; looked++) {
      const block = Math.floor(at / BLOCK_SIZE_BYTES);
      const stop = Math.min(end, (block + 1) * BLOCK_SIZE_BYTES);
      const state = used.get(block) ? 'data' : 'zero';
      const last = found.at(-1);
      if (last?.state === state) found[found.length - 1] = { lengthBytes: last.lengthBytes + stop - at, state };
      else found.push({ lengthBytes: stop - at, state });
      at = stop;
    }
    return found;
  }

  /** Whole units, for only these can be decrypted. */
  async #readDirect(offsetBytes: number, target: Buffer): Promise<void> {
    const start = offsetBytes - (offsetBytes % UNIT);
    const end = Math.ceil((offsetBytes + target.length) / UNIT) * UNIT;
    const isWhole = start === offsetBytes && end - start === target.length;
    const units = isWhole ? target : Buffer.allocUnsafe(end - start);
    await this.#volume.readWhole(start, units);
    this.#cipher?.decrypt(units, 0, units.length, start / UNIT);
    if (isWhole) return;
    units.copy(target, 0, offsetBytes - start, offsetBytes - start + target.length);
    units.fill(0);
  }

  /** Brings the range into the page cache off the event loop; from there it is read, decrypted, and consistent. */
  async #readOffLoop(offsetBytes: number, target: Buffer): Promise<void> {
    await this.#volume.read(offsetBytes, target);
    this.#volume.pace.skipNext();
    this.#top.readSync(offsetBytes, target);
  }

  /** A full disk can't take blocks that are still to be fetched: those are read without being kept. @throws error, if it is another. */
  async #readWithoutRoom(error: unknown, offsetBytes: number, target: Buffer): Promise<void> {
    if (!isNoRoom(error)) throw error;
    const end = offsetBytes + target.length;
    for (let at = offsetBytes; at < end;) {
      const block = Math.floor(at / BLOCK_SIZE_BYTES);
      const stop = Math.min(end, (block + 1) * BLOCK_SIZE_BYTES);
      const part = target.subarray(at - offsetBytes, stop - offsetBytes);
      const content = await this.#volume.missingContent(block);
      // It may have got its room meanwhile, and been written to.
      if (content === null || this.#volume.map.isPresent(block)) this.#top.readSync(at, part);
      else this.#onTopOf(contentOf(block, content, this.sizeBytes)).readSync(at, part);
      at = stop;
    }
  }

  #onTopOf(below: SyncDevice): SyncDevice {
    return this.#cipher === null ? below : new EncryptedDevice(below, this.#cipher);
  }

  /** Runs synchronously as far as it can. */
  #zero(from: number, end: number, mayTrim: boolean): void | Promise<void> {
    let at = from;
    for (let written = 0; at < end;) {
      const block = Math.floor(at / BLOCK_SIZE_BYTES);
      const stop = Math.min(end, (block + 1) * BLOCK_SIZE_BYTES);
      if (mayTrim && !this.#volume.map.used.get(block)) {
        at = stop;
        continue;
      }
      const resume = at;
      if (written === ZERO_BLOCKS_PER_TURN) return nextTurn().then(() => this.#zero(resume, end, mayTrim));
      const ready = this.#volume.prepareWrite(at, stop - at);
      if (ready !== undefined) return ready.then(() => this.#zero(resume, end, mayTrim));
      const whole = stop - at === BLOCK_SIZE_BYTES;
      if (whole && mayTrim) this.#volume.zeroBlockSync(block);
      else this.#zeroPart(at, stop, mayTrim);
      written++;
      at = stop;
    }
  }

  /** Within one block. Whole units become unwritten ones, given back if they are many; a part of a unit, or what must stay allocated, is written. */
  #zeroPart(from: number, end: number, mayTrim: boolean): void {
    const write = (start: number, stop: number) => this.#top.writeSync(start, Buffer.alloc(stop - start));
    const firstUnit = Math.min(end, Math.ceil(from / UNIT) * UNIT);
    const lastUnit = Math.max(firstUnit, Math.floor(end / UNIT) * UNIT);
    if (!mayTrim) return write(from, end);
    if (firstUnit > from) write(from, firstUnit);
    if (lastUnit > firstUnit) this.#volume.zeroUnitsSync(firstUnit, lastUnit - firstUnit);
    if (end > lastUnit) write(lastUnit, end);
  }
}

const isNoRoom = (error: unknown): boolean =>
  ['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? '');

/** One block in memory, at its place in the volume. */
const contentOf = (block: number, content: Buffer, sizeBytes: number): SyncDevice => ({
  sizeBytes,
  readSync: (offsetBytes, target) => {
    const from = offsetBytes - block * BLOCK_SIZE_BYTES;
    assertRange(from, target.length, content.length);
    content.copy(target, 0, from, from + target.length);
  },
  writeSync: () => {
    throw new Error(`block ${block} is only in memory`);
  },
});
