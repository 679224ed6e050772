import { DATA_CHUNK_HEADER_BYTES, HOLE_CHUNK_BYTES, type ReadPart } from './replies.ts';

/** Zeros are looked for in units of this size; shorter runs are not worth a chunk of their own. */
export const ZERO_RUN_BYTES = 32 * 1024;
const ZEROS = Buffer.alloc(ZERO_RUN_BYTES);

const isZero = (bytes: Buffer, start: number, end: number): boolean => {
  // Most data differs from zero at once, so that the comparison is seldom made.
  if (bytes[start] !== 0 || bytes[end - 1] !== 0) return false;
  return ZEROS.compare(bytes, start, end, 0, end - start) === 0;
};

/** Told at a glance, as it can be of most reads: they are of less than a run, and begin with something else than zero. */
export const isOnePartOfData = (bytes: Buffer, start: number, lengthBytes: number): boolean =>
  lengthBytes <= ZERO_RUN_BYTES && bytes[start] !== 0;

/**
 * Divides a read's result into data and zeros.
 * @param bytes holds the result at [start, start + lengthBytes).
 * @param mayDivide false: answer with one part.
 */
export const findZeroParts = (bytes: Buffer, start: number, lengthBytes: number, mayDivide: boolean): ReadPart[] => {
  const whole = { start: 0, end: lengthBytes, isZero: false };
  if (lengthBytes < HOLE_CHUNK_BYTES + DATA_CHUNK_HEADER_BYTES) return [whole];
  const parts: { start: number; end: number; isZero: boolean }[] = [];
  for (let at = 0; at < lengthBytes; at += ZERO_RUN_BYTES) {
    const end = Math.min(at + ZERO_RUN_BYTES, lengthBytes);
    // A short rest only counts as zeros where it prolongs others: alone it may have no room for its headers.
    const isShort = end - at < ZERO_RUN_BYTES && at > 0 && parts.at(-1)?.isZero !== true;
    const zero = !isShort && isZero(bytes, start + at, start + end);
    const last = parts.at(-1);
    if (last?.isZero === zero) last.end = end;
    else parts.push({ start: at, end, isZero: zero });
    if (!mayDivide && !zero) break;
  }
  const divided = parts.length > 1 && !mayDivide;
  return divided || parts.at(-1)?.end !== lengthBytes ? [whole] : parts;
};
