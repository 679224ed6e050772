import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8192;
let pool = Buffer.alloc(0);
let used = 0;

/**
 * Random bytes of which everybody may know, like nonces and salts: unpredictable until they are used, and used once. Not for
 * secrets, since they lie in memory beside those of others. Filling thousands at once costs as much as filling a few.
 * @returns a view of its own on bytes that nobody else gets, and that are not written again.
 */
export const publicRandomBytes = (bytes: number): Buffer => {
  if (bytes > POOL_BYTES) return randomFillSync(Buffer.alloc(bytes));
  if (used + bytes > pool.length) {
    pool = randomFillSync(Buffer.allocUnsafeSlow(POOL_BYTES));
    used = 0;
  }
  used += bytes;
  return pool.subarray(used - bytes, used);
};
