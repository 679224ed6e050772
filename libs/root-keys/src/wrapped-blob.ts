import { InvalidWrapping } from './types.ts';

// A wrapped blob: format (1 byte) ‖ length of the version id (1) ‖ version id ‖ algorithm (1) ‖ salt (32 or none) ‖ IV (12) ‖
// ciphertext ‖ tag (16). All before the ciphertext is its header, which is authenticated: a blob that opens under a version
// does name it.
export const WRAPPED_FORMAT = 2;
export const IV_BYTES = 12;
export const TAG_BYTES = 16;
const SALT_BYTES = 32;
const VERSION_ID = /^(?:[0-9a-f]{2}){1,32}$/;

/** `derived`: under a key derived with HKDF-SHA256 from the version and the salt; `direct`: under the version itself. */
export type WrapAlgorithm = 'derived' | 'direct';
const ALGORITHMS: Record<WrapAlgorithm, { code: number; saltBytes: number }> = {
  derived: { code: 1, saltBytes: SALT_BYTES },
  direct: { code: 2, saltBytes: 0 },
};

export interface WrappedBlob {
  readonly versionId: string;
  readonly header: Buffer;
  readonly salt: Buffer;
  readonly iv: Buffer;
  /** Ciphertext and tag. */
  readonly sealed: Buffer;
}

export const isVersionId = (text: string): boolean => VERSION_ID.test(text);

/** @returns the header of a new blob, with random salt and IV taken from `random` (44 bytes for `derived`, else 12). */
export const newHeader = (versionId: string, algorithm: WrapAlgorithm, random: Buffer): WrappedBlob => {
  const { code, saltBytes } = ALGORITHMS[algorithm];
  if (!isVersionId(versionId) || random.length !== saltBytes + IV_BYTES) throw new TypeError('not a root key version');
  const id = Buffer.from(versionId, 'hex');
  const header = Buffer.concat([Buffer.of(WRAPPED_FORMAT, id.length), id, Buffer.of(code), random]);
  return { versionId, header, salt: random.subarray(0, saltBytes), iv: random.subarray(saltBytes), sealed: NOTHING };
};

export const randomBytesOf = (algorithm: WrapAlgorithm): number => ALGORITHMS[algorithm].saltBytes + IV_BYTES;

/** Reads a blob's parts. @throws InvalidWrapping unless it is one of this algorithm */
export const parseWrapped = (wrapped: Uint8Array, algorithm: WrapAlgorithm): WrappedBlob => {
  const bytes = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.byteLength);
  const { code, saltBytes } = ALGORITHMS[algorithm];
  const idEnd = 2 + (bytes[1] ?? 0);
  const saltAt = idEnd + 1;
  const headerBytes = saltAt + saltBytes + IV_BYTES;
  if (bytes[0] !== WRAPPED_FORMAT || bytes.length < headerBytes + TAG_BYTES || bytes[idEnd] !== code) {
    throw new InvalidWrapping();
  }
  const versionId = bytes.toString('hex', 2, idEnd);
  if (!isVersionId(versionId)) throw new InvalidWrapping();
  return {
    versionId,
    header: bytes.subarray(0, headerBytes),
    salt: bytes.subarray(saltAt, saltAt + saltBytes),
    iv: bytes.subarray(saltAt + saltBytes, headerBytes),
    sealed: bytes.subarray(headerBytes),
  };
};

const NOTHING = Buffer.alloc(0);

/** What a blob belongs to, as additional data: each part with its length before it, so that no two lists look alike. */
export const bindingOf = (...parts: readonly string[]): Buffer =>
  Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part, 'utf8');
      const length = Buffer.alloc(4);
      length.writeUInt32BE(bytes.length);
      return [length, bytes];
    }),
  );
