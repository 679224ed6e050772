import type { ExportBackend } from '@holdfast/nbd';

/**
 * What a guest sees: bytes at arbitrary offsets, served as they are by the NBD server. Ranges are checked; RangeError when
 * they leave the device. Requests in flight at the same time have no order among them.
 */
export type BlockDevice = ExportBackend;

/** One layer below the guest's: synchronous, so that a read-modify-write on one event loop needs no lock. */
export interface SyncDevice {
  readonly sizeBytes: number;
  readSync(offsetBytes: number, target: Buffer): void;
  /** May overwrite `data`. */
  writeSync(offsetBytes: number, data: Buffer): void;
}

/**
 * XTS or another length-preserving cipher over data units of 4 KiB, in place. A unit whose ciphertext is all zero was never
 * written and decrypts to zeros; a real one is all zero with probability 2^-32768.
 */
export interface SectorCipher {
  /** @param firstUnit number of the first data unit, counted from the volume's start; lengths are multiples of 4 KiB. */
  encrypt(bytes: Buffer, offsetBytes: number, lengthBytes: number, firstUnit: number): void;
  decrypt(bytes: Buffer, offsetBytes: number, lengthBytes: number, firstUnit: number): void;
}
