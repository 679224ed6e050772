import { createDecipheriv, type KeyObject } from 'node:crypto';
import { InvalidCiphertext } from '../envelope/envelope.ts';
import type { OaepAlgorithm } from './algorithms.ts';
import { decryptOaep } from './oaep.ts';

/** How imported key material comes wrapped: under RSA itself, or under an AES key that RSA wraps. */
export const IMPORT_WRAPPINGS = {
  RSAES_OAEP_SHA_1: { oaep: 'RSAES_OAEP_SHA_1', aesKeyWrap: false },
  RSAES_OAEP_SHA_256: { oaep: 'RSAES_OAEP_SHA_256', aesKeyWrap: false },
  RSA_AES_KEY_WRAP_SHA_1: { oaep: 'RSAES_OAEP_SHA_1', aesKeyWrap: true },
  RSA_AES_KEY_WRAP_SHA_256: { oaep: 'RSAES_OAEP_SHA_256', aesKeyWrap: true },
} as const satisfies Record<string, { oaep: OaepAlgorithm; aesKeyWrap: boolean }>;
export type ImportWrapping = keyof typeof IMPORT_WRAPPINGS;

/** Alternative initial value of AES key wrap with padding (RFC 5649 §3). */
const AIV = Buffer.from('a65959a6', 'hex');
const CIPHERS: Readonly<Record<number, string>> = {
  16: 'id-aes128-wrap-pad',
  24: 'id-aes192-wrap-pad',
  32: 'id-aes256-wrap-pad',
};

/** AES-KWP (RFC 5649, NIST SP 800-38F). @throws InvalidCiphertext */
const unwrapKeyWithPadding = (aesKey: Buffer, wrapped: Uint8Array): Buffer => {
  const cipher = CIPHERS[aesKey.length];
  if (cipher === undefined || wrapped.length < 16 || wrapped.length % 8 !== 0) throw new InvalidCiphertext();
  try {
    const decipher = createDecipheriv(cipher, aesKey, AIV);
    return Buffer.concat([decipher.update(wrapped), decipher.final()]);
  } catch {
    throw new InvalidCiphertext();
  }
};

/**
 * @param wrapped as PKCS #11's CKM_RSA_AES_KEY_WRAP lays it out, or RSAES-OAEP's ciphertext.
 * @param key the private key of GetParametersForImport's public key.
 * @returns the material, the caller's to zero. @throws InvalidCiphertext
 */
export const unwrapImported = (wrapping: ImportWrapping, wrapped: Uint8Array, key: KeyObject): Buffer => {
  const { oaep, aesKeyWrap } = IMPORT_WRAPPINGS[wrapping];
  if (!aesKeyWrap) return decryptOaep(oaep, wrapped, key);
  const modulusBytes = (key.asymmetricKeyDetails?.modulusLength ?? 0) / 8;
  if (wrapped.length <= modulusBytes) throw new InvalidCiphertext();
  const aesKey = decryptOaep(oaep, wrapped.subarray(0, modulusBytes), key);
  try {
    return unwrapKeyWithPadding(aesKey, wrapped.subarray(modulusBytes));
  } finally {
    aesKey.fill(0);
  }
};
