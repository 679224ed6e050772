import { timingSafeEqual } from 'node:crypto';

/** A data unit is what one tweak encrypts; the unit n of a volume is its bytes [n × 4096, (n + 1) × 4096). */
export const DATA_UNIT_BYTES = 4096;
/** AES-256-XTS takes two 256-bit keys. */
export const XTS_KEY_BYTES = 64;

/**
 * AES-256-XTS under one key, in place. The tweak is the number of the data unit as 128 bits, little-endian.
 *
 * A unit whose ciphertext is all zeros was never written (or was discarded), and decrypts to zeros; no layer above needs to
 * look for that. A real unit has such a ciphertext with probability 2^-32768. So a sparse file is an empty encrypted
 * volume, and discarding is writing zeros. `encrypt` knows no such rule: zeros that are written have a ciphertext.
 */
export interface SectorCipher {
  /**
   * @param offset where in the buffer the first unit starts; any byte.
   * @param length whole units.
   * @param firstUnit number of the first unit; all must be safe integers.
   * @throws RangeError when an argument is out of range, and nothing was changed; Error when the cipher was destroyed.
   */
  encrypt(buffer: Buffer, offset: number, length: number, firstUnit: number): void;
  decrypt(buffer: Buffer, offset: number, length: number, firstUnit: number): void;
  /** Forgets the key; the cipher can't be used any more. May be called again. */
  destroy(): void;
}

/** A way to compute XTS. */
export interface XtsEngine {
  /** For logs and metrics. */
  readonly name: 'openssl-addon' | 'node-crypto';
  /**
   * @param key 64 bytes, copied: zeroing the caller's buffer is left to the caller.
   * @param unitBytes a multiple of 16; volumes have {@link DATA_UNIT_BYTES}.
   * @throws RangeError for a key of another size, and for one with equal halves, with which XTS is not secure.
   */
  createCipher(key: Buffer, unitBytes?: number): SectorCipher;
}

/** The most blocks NIST SP 800-38E allows in a data unit, in bytes. */
const MAX_UNIT_BYTES = 16 * 1024 * 1024;

export const checkXtsKey = (key: Buffer, unitBytes: number): void => {
  if (key.length !== XTS_KEY_BYTES) throw new RangeError(`an XTS key has ${XTS_KEY_BYTES} bytes, not ${key.length}`);
  if (timingSafeEqual(key.subarray(0, 32), key.subarray(32)))
    throw new RangeError('the halves of an XTS key must differ');
  if (!Number.isInteger(unitBytes) || unitBytes < 16 || unitBytes > MAX_UNIT_BYTES || unitBytes % 16 !== 0) {
    throw new RangeError(`a data unit has a multiple of 16 bytes, not ${unitBytes}`);
  }
};

/** @throws RangeError unless the range is whole units inside the buffer and every unit's number is a safe integer. */
export const checkUnits = (
  buffer: Buffer,
  offset: number,
  length: number,
  firstUnit: number,
  unitBytes: number,
): void => {
  const isInside = Number.isInteger(offset) && offset >= 0 && length >= 0 && offset + length <= buffer.length;
  if (!isInside || length % unitBytes !== 0) {
    throw new RangeError(`[${offset}, +${length}) is not whole data units inside a buffer of ${buffer.length} bytes`);
  }
  if (!Number.isInteger(firstUnit) || firstUnit < 0 || firstUnit + length / unitBytes > Number.MAX_SAFE_INTEGER) {
    throw new RangeError(`data unit ${firstUnit} is out of range`);
  }
};
