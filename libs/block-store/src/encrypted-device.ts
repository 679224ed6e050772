import type { SectorCipher, SyncDevice } from './block-device.ts';
import { assertRange, isZero, UNIT_SIZE_BYTES } from './geometry.ts';

/** Turns ciphertext under one key (null: plaintext) into ciphertext under another, in place; unwritten units stay so. */
export const reEncryptUnits = (
  from: SectorCipher | null,
  to: SectorCipher | null,
  bytes: Buffer,
  firstUnit: number,
): void => {
  const crypt = (start: number, end: number) => {
    const unit = firstUnit + start / UNIT_SIZE_BYTES;
    from?.decrypt(bytes, start, end - start, unit);
    to?.encrypt(bytes, start, end - start, unit);
  };
  let start = 0;
  for (let at = 0; at < bytes.length; at += UNIT_SIZE_BYTES) {
    // Most units are told by their first bytes.
    if (bytes.readUInt32LE(at) !== 0 || !isZero(bytes.subarray(at, at + UNIT_SIZE_BYTES))) continue;
    if (at > start) crypt(start, at);
    start = at + UNIT_SIZE_BYTES;
  }
  if (bytes.length > start) crypt(start, bytes.length);
};

/** Encrypts what passes through it, in units of 4 KiB; a part of a unit is read, changed and written back. */
export class EncryptedDevice implements SyncDevice {
  readonly #below: SyncDevice;
  readonly #cipher: SectorCipher;

  constructor(below: SyncDevice, cipher: SectorCipher) {
    this.#below = below;
    this.#cipher = cipher;
    if (below.sizeBytes % UNIT_SIZE_BYTES !== 0)
      throw new RangeError(`device of ${below.sizeBytes} bytes: not whole units`);
  }

  get sizeBytes(): number {
    return this.#below.sizeBytes;
  }

  readSync(offsetBytes: number, target: Buffer): void {
    assertRange(offsetBytes, target.length, this.sizeBytes);
    const start = offsetBytes - (offsetBytes % UNIT_SIZE_BYTES);
    const end = Math.ceil((offsetBytes + target.length) / UNIT_SIZE_BYTES) * UNIT_SIZE_BYTES;
    if (start === offsetBytes && end - start === target.length) return this.#readUnits(start, target);
    const units = Buffer.allocUnsafe(end - start);
    this.#readUnits(start, units);
    units.copy(target, 0, offsetBytes - start, offsetBytes - start + target.length);
    units.fill(0);
  }

  writeSync(offsetBytes: number, data: Buffer): void {
    assertRange(offsetBytes, data.length, this.sizeBytes);
    const start = offsetBytes - (offsetBytes % UNIT_SIZE_BYTES);
    const end = Math.ceil((offsetBytes + data.length) / UNIT_SIZE_BYTES) * UNIT_SIZE_BYTES;
    if (start === end) return;
    const units =
      start === offsetBytes && end - start === data.length ? data : this.#widen(offsetBytes, data, start, end);
    this.#cipher.encrypt(units, 0, units.length, start / UNIT_SIZE_BYTES);
    this.#below.writeSync(start, units);
  }

  /** Copies `data` between what its first and last unit hold now. */
  #widen(offsetBytes: number, data: Buffer, start: number, end: number): Buffer {
    const units = Buffer.allocUnsafe(end - start);
    const lastUnit = end - start - UNIT_SIZE_BYTES;
    if (offsetBytes !== start) this.#readUnits(start, units.subarray(0, UNIT_SIZE_BYTES));
    if (offsetBytes + data.length !== end && (lastUnit !== 0 || offsetBytes === start)) {
      this.#readUnits(start + lastUnit, units.subarray(lastUnit));
    }
    data.copy(units, offsetBytes - start);
    return units;
  }

  #readUnits(offsetBytes: number, target: Buffer): void {
    this.#below.readSync(offsetBytes, target);
    this.#cipher.decrypt(target, 0, target.length, offsetBytes / UNIT_SIZE_BYTES);
  }
}
