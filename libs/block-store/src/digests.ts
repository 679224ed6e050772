import { createHash, webcrypto } from 'node:crypto';

export const DIGEST_BYTES = 32;

/** SHA-256 in the platform's thread pool, so that a copy of a snapshot does not hold up the guest. */
export const digestOf = async (bytes: Uint8Array<ArrayBuffer>): Promise<Buffer> =>
  Buffer.from(await webcrypto.subtle.digest('SHA-256', bytes));

export const digestOfSync = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
