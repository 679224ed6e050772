import type { Extent } from './export-backend.ts';
import {
  ALLOCATION_CONTEXT_ID,
  AllocationFlag,
  OFFSET_DATA_PREFIX_BYTES,
  OFFSET_HOLE_PAYLOAD_BYTES,
  ReplyFlag,
  ReplyType,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
  STRUCTURED_REPLY_BYTES,
  STRUCTURED_REPLY_MAGIC,
} from './wire.ts';

/** What a reply repeats of its request. */
export interface ReplyTo {
  readonly cookieHigh: number;
  readonly cookieLow: number;
}

/** Bytes before the data of an OFFSET_DATA chunk; also enough for an error in its place. */
export const DATA_CHUNK_HEADER_BYTES = STRUCTURED_REPLY_BYTES + OFFSET_DATA_PREFIX_BYTES;
export const HOLE_CHUNK_BYTES = STRUCTURED_REPLY_BYTES + OFFSET_HOLE_PAYLOAD_BYTES;
export const ERROR_CHUNK_BYTES = STRUCTURED_REPLY_BYTES + 6;
/** A reply may describe less than was asked; this bounds its size, and a client asks again from there. */
export const MAX_STATUS_DESCRIPTORS = 4096;

/** A range of a read's result, relative to its start. */
export interface ReadPart {
  readonly start: number;
  readonly end: number;
  readonly isZero: boolean;
}

export const writeSimpleReply = (bytes: Buffer, at: number, to: ReplyTo, errno: number): number => {
  bytes.writeUInt32BE(SIMPLE_REPLY_MAGIC, at);
  bytes.writeUInt32BE(errno, at + 4);
  bytes.writeUInt32BE(to.cookieHigh, at + 8);
  bytes.writeUInt32BE(to.cookieLow, at + 12);
  return SIMPLE_REPLY_BYTES;
};

const writeChunkHeader = (
  bytes: Buffer,
  at: number,
  to: ReplyTo,
  type: number,
  flags: number,
  length: number,
): number => {
  bytes.writeUInt32BE(STRUCTURED_REPLY_MAGIC, at);
  bytes.writeUInt16BE(flags, at + 4);
  bytes.writeUInt16BE(type, at + 6);
  bytes.writeUInt32BE(to.cookieHigh, at + 8);
  bytes.writeUInt32BE(to.cookieLow, at + 12);
  bytes.writeUInt32BE(length, at + 16);
  return at + STRUCTURED_REPLY_BYTES;
};

const writeOffset = (bytes: Buffer, at: number, offsetBytes: number): void => {
  bytes.writeUInt32BE(Math.floor(offsetBytes / 0x1_0000_0000), at);
  bytes.writeUInt32BE(offsetBytes % 0x1_0000_0000, at + 4);
};

/** The header of a data chunk; `lengthBytes` of data follow it. */
export const writeDataHeader = (
  bytes: Buffer,
  at: number,
  to: ReplyTo,
  offsetBytes: number,
  lengthBytes: number,
  isLast: boolean,
): void => {
  const payload = OFFSET_DATA_PREFIX_BYTES + lengthBytes;
  const next = writeChunkHeader(bytes, at, to, ReplyType.OffsetData, isLast ? ReplyFlag.Done : 0, payload);
  writeOffset(bytes, next, offsetBytes);
};

const writeHole = (
  bytes: Buffer,
  at: number,
  to: ReplyTo,
  offsetBytes: number,
  lengthBytes: number,
  isLast: boolean,
) => {
  const flags = isLast ? ReplyFlag.Done : 0;
  const next = writeChunkHeader(bytes, at, to, ReplyType.OffsetHole, flags, OFFSET_HOLE_PAYLOAD_BYTES);
  writeOffset(bytes, next, offsetBytes);
  bytes.writeUInt32BE(lengthBytes, next + OFFSET_DATA_PREFIX_BYTES);
};

export const writeErrorChunk = (bytes: Buffer, at: number, to: ReplyTo, errno: number): number => {
  const next = writeChunkHeader(bytes, at, to, ReplyType.Error, ReplyFlag.Done, 6);
  bytes.writeUInt32BE(errno, next);
  bytes.writeUInt16BE(0, next + 4); // No message: the error number says all that a client acts on.
  return ERROR_CHUNK_BYTES;
};

/**
 * Lays out a structured read reply whose data is already in place, DATA_CHUNK_HEADER_BYTES after `at`. The headers of
 * inner chunks are written over zeros that are not sent, so nothing is moved; every zero part must have room for them
 * (HOLE_CHUNK_BYTES + DATA_CHUNK_HEADER_BYTES).
 * @returns [start, end) pairs relative to `at`, to be sent in order.
 */
export const layOutReadParts = (
  bytes: Buffer,
  at: number,
  to: ReplyTo,
  offsetBytes: number,
  parts: readonly ReadPart[],
): [number, number][] => {
  const pieces: [number, number][] = [];
  parts.forEach((part, index) => {
    const isLast = index === parts.length - 1;
    const lengthBytes = part.end - part.start;
    if (part.isZero) {
      // Directly behind the data before it; a first part starts where the reply does.
      const start = index === 0 ? 0 : DATA_CHUNK_HEADER_BYTES + part.start;
      writeHole(bytes, at + start, to, offsetBytes + part.start, lengthBytes, isLast);
      pieces.push([start, start + HOLE_CHUNK_BYTES]);
    } else {
      writeDataHeader(bytes, at + part.start, to, offsetBytes + part.start, lengthBytes, isLast);
      pieces.push([part.start, DATA_CHUNK_HEADER_BYTES + part.end]);
    }
  });
  return pieces;
};

/** Merges equal neighbours and cuts at `lengthBytes`, `maxDescriptors` and extents without bytes. */
export const normalizeExtents = (extents: readonly Extent[], lengthBytes: number, maxDescriptors: number): Extent[] => {
  const merged: { lengthBytes: number; state: Extent['state'] }[] = [];
  let covered = 0;
  for (const { lengthBytes: extentBytes, state } of extents) {
    const taken = Math.min(extentBytes, lengthBytes - covered);
    if (taken <= 0) continue;
    const last = merged.at(-1);
    if (last?.state === state) last.lengthBytes += taken;
    else if (merged.length === maxDescriptors) break;
    else merged.push({ lengthBytes: taken, state });
    covered += taken;
  }
  return merged;
};

/** @returns the whole reply; it is rare enough to have memory of its own. */
export const blockStatusReply = (to: ReplyTo, extents: readonly Extent[]): Buffer => {
  const payload = 4 + extents.length * 8;
  const bytes = Buffer.alloc(STRUCTURED_REPLY_BYTES + payload);
  let at = writeChunkHeader(bytes, 0, to, ReplyType.BlockStatus, ReplyFlag.Done, payload);
  at = bytes.writeUInt32BE(ALLOCATION_CONTEXT_ID, at);
  for (const { lengthBytes, state } of extents) {
    at = bytes.writeUInt32BE(lengthBytes, at);
    at = bytes.writeUInt32BE(state === 'zero' ? AllocationFlag.Hole | AllocationFlag.Zero : 0, at);
  }
  return bytes;
};
