import { closeSync, constants, fdatasyncSync, fstatSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { isZero } from './geometry.ts';

/**
 * The first part of a device of ours; the guest's bytes begin behind it, where every disk's own blocks do. Neither end of it
 * says anything of the guest's, so that nobody on the host takes a guest's file system or partitions for the host's.
 */
export const DEVICE_DATA_OFFSET_BYTES = 1_048_576;
/** Written in one sector, which disks do not tear. */
const LABEL_BYTES = 512;
const MAGIC = Buffer.from('HOLDFAST VOLUME DEVICE 1\n');
/** Signatures of file systems, partition tables, RAID and volume managers are all in so much of a device's start or end. */
const SIGNATURES_BYTES = 1_048_576;
const PIECE_BYTES = 524_288;
const SECTOR_BYTES = 512;

/** What a device of ours says of itself. */
export interface DeviceLabel {
  readonly deviceId: string;
  /** The host's folder that it belongs to. */
  readonly storeId: string;
  /** `free`: every byte behind the label is known to be zero. */
  readonly state: 'zeroing' | 'free' | 'volume';
  readonly volumeId: string | null;
  /** While it is zeroed: how far that is durable, from the guest's first byte. */
  readonly zeroedBytes: number;
}

/** Only one process at a time, and none while the device is mounted or part of something: the kernel answers EBUSY. */
export const openDevice = (path: string): number => openSync(path, constants.O_RDWR | constants.O_EXCL);

/** Of a block device, or of a file that stands for one. */
export const deviceSizeBytes = (fd: number): number => {
  const stats = fstatSync(fd, { bigint: true });
  if (!stats.isBlockDevice()) return Number(stats.size);
  const { rdev } = stats; // Layout of glibc's makedev.
  const major = ((rdev >> 8n) & 0xfffn) | ((rdev >> 32n) & ~0xfffn);
  const minor = (rdev & 0xffn) | ((rdev >> 12n) & ~0xffn);
  const sectors = readFileSync(`/sys/dev/block/${String(major)}:${String(minor)}/size`, 'latin1');
  return Number(sectors) * SECTOR_BYTES;
};

/** @returns the label of a device of ours; `blank` when nobody has put anything on it, so far as its ends tell; else `foreign`. */
export const readLabel = (fd: number): DeviceLabel | 'blank' | 'foreign' => {
  const sizeBytes = deviceSizeBytes(fd);
  if (sizeBytes < LABEL_BYTES) return 'foreign';
  const bytes = Buffer.alloc(LABEL_BYTES);
  readWhole(fd, bytes, 0);
  if (bytes.subarray(0, MAGIC.length).equals(MAGIC)) return decode(bytes) ?? 'foreign';
  const length = Math.min(SIGNATURES_BYTES, sizeBytes);
  return isZeroAt(fd, 0, length) && isZeroAt(fd, sizeBytes - length, length) ? 'blank' : 'foreign';
};

/** Durable when it returns. */
export const writeLabel = (fd: number, label: DeviceLabel): void => {
  const bytes = Buffer.alloc(LABEL_BYTES);
  MAGIC.copy(bytes);
  const { deviceId, storeId, state, volumeId, zeroedBytes } = label;
  const written = bytes.write(JSON.stringify({ deviceId, storeId, state, volumeId, zeroedBytes }), MAGIC.length);
  if (MAGIC.length + written >= LABEL_BYTES - 4) throw new RangeError('a label that is too long');
  bytes.writeUInt32BE(crc32(bytes.subarray(0, LABEL_BYTES - 4)), LABEL_BYTES - 4);
  writeWhole(fd, bytes, 0);
  fdatasyncSync(fd);
};

/** Makes a device ours, whatever was on it; durable when it returns. */
export const formatDevice = (fd: number, label: DeviceLabel): void => {
  const rest = Buffer.alloc(DEVICE_DATA_OFFSET_BYTES - LABEL_BYTES);
  writeWhole(fd, rest, LABEL_BYTES);
  writeLabel(fd, label);
};

/** Runs `work` on an open device. */
export const withDevice = <Result>(fd: number, work: (fd: number) => Result): Result => {
  try {
    return work(fd);
  } finally {
    closeSync(fd);
  }
};

const decode = (bytes: Buffer): DeviceLabel | null => {
  if (bytes.readUInt32BE(LABEL_BYTES - 4) !== crc32(bytes.subarray(0, LABEL_BYTES - 4))) return null;
  const text = bytes.subarray(MAGIC.length, LABEL_BYTES - 4).toString('utf8');
  return JSON.parse(text.slice(0, text.indexOf('\0'))) as DeviceLabel;
};

const isZeroAt = (fd: number, offsetBytes: number, lengthBytes: number): boolean => {
  const piece = Buffer.allocUnsafe(PIECE_BYTES);
  for (let at = 0; at < lengthBytes; at += PIECE_BYTES) {
    const part = piece.subarray(0, Math.min(PIECE_BYTES, lengthBytes - at));
    readWhole(fd, part, offsetBytes + at);
    if (!isZero(part)) return false;
  }
  return true;
};

const readWhole = (fd: number, target: Buffer, offsetBytes: number): void => {
  for (let done = 0; done < target.length;) {
    const count = readSync(fd, target, done, target.length - done, offsetBytes + done);
    if (count === 0) throw new Error(`a device ends at ${String(offsetBytes + done)} bytes`);
    done += count;
  }
};

const writeWhole = (fd: number, bytes: Buffer, offsetBytes: number): void => {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, offsetBytes + done);
};
