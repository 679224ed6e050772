import { createHmac, timingSafeEqual } from 'node:crypto';

const TAG_BYTES = 32;

/**
 * Writes bytes that only this service can have written: `base64url(payload ‖ HMAC-SHA256)`.
 * @param keys of 32 bytes; the first signs, all are accepted.
 */
export const signText = (keys: readonly Buffer[], payload: Buffer): string => {
  const [key] = keys;
  if (key === undefined) throw new RangeError('no key to sign with');
  return Buffer.concat([payload, createHmac('sha256', key).update(payload).digest()]).toString('base64url');
};

/** @returns the payload; null for anything that `signText` did not write. */
export const verifyText = (keys: readonly Buffer[], text: string): Buffer | null => {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.length < TAG_BYTES || bytes.toString('base64url') !== text) return null;
  const payload = bytes.subarray(0, -TAG_BYTES);
  const tag = bytes.subarray(-TAG_BYTES);
  const known = keys.some((key) => timingSafeEqual(createHmac('sha256', key).update(payload).digest(), tag));
  return known ? payload : null;
};
