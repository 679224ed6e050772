import { createCipheriv, createDecipheriv, hkdfSync } from 'node:crypto';

export const GCM_IV_BYTES = 12;
export const GCM_TAG_BYTES = 16;
export const KEY_BYTES = 32;

/** HKDF-SHA256 (RFC 5869), extract and expand. @returns `lengthBytes` (at most 8160) in a buffer of its own. */
export const hkdf = (secret: Uint8Array, salt: Uint8Array, info: string | Uint8Array, lengthBytes: number): Buffer =>
  Buffer.from(hkdfSync('sha256', secret, salt, info, lengthBytes));

/** AES-256-GCM (NIST SP 800-38D). @returns ciphertext and 16 bytes of tag. */
export const gcmEncrypt = (key: Uint8Array, iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Buffer => {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(aad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
};

/** @returns null when the tag does not fit or `sealed` is too short to carry one; plaintext in a buffer of its own. */
export const gcmDecrypt = (key: Uint8Array, iv: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Buffer | null => {
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
