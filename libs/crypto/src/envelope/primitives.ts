import { createCipheriv, createDecipheriv, createHmac, createSecretKey, type KeyObject } from 'node:crypto';

export const GCM_IV_BYTES = 12;
export const GCM_TAG_BYTES = 16;
export const KEY_BYTES = 32;
/** The length of a derived key in bits, of 32 bits itself. */
const KEY_BITS = Buffer.of(0, 0, 1, 0);

/** The counter of the first block, of 32 bits. */
const FIRST_BLOCK = Buffer.of(0, 0, 0, 1);

/**
 * The first block of NIST SP 800-108's key derivation in counter mode with HMAC-SHA-256, counter before the fixed input (§4.1).
 * @returns 32 bytes, the caller's to zero.
 */
export const deriveBlock = (key: KeyObject, fixedInput: Uint8Array): Buffer =>
  createHmac('sha256', key).update(FIRST_BLOCK).update(fixedInput).digest();

/**
 * A key for one purpose and one context: `label ‖ 0 ‖ context ‖ 256`, as SP 800-108 §4 has the fixed input.
 * @param label without zero bytes, else where it ends would not be clear.
 */
export const deriveKey = (key: KeyObject, label: string, context: Uint8Array): KeyObject => {
  const bytes = deriveBlock(key, Buffer.concat([Buffer.from(label, 'latin1'), Buffer.of(0), context, KEY_BITS]));
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
};

/** AES-256-GCM (NIST SP 800-38D). @returns ciphertext and 16 bytes of tag. */
export const gcmEncrypt = (key: KeyObject, iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Buffer => {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
};

/** @returns null when the tag does not fit or `sealed` is too short to carry one; plaintext in a buffer of its own. */
export const gcmDecrypt = (key: KeyObject, iv: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer | null => {
  const bodyBytes = sealed.length - GCM_TAG_BYTES;
  if (bodyBytes < 0) return null;
  const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: GCM_TAG_BYTES })
    .setAAD(aad)
    .setAuthTag(sealed.subarray(bodyBytes));
  const plaintext = decipher.update(sealed.subarray(0, bodyBytes)); // GCM is a stream: final() adds no bytes.
  try {
    decipher.final();
    return plaintext;
  } catch {
    plaintext.fill(0);
    return null;
  }
};
