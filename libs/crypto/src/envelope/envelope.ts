import type { KeyObject } from 'node:crypto';
import { encodeContext, type EncryptionContext } from './encryption-context.ts';
import { publicRandomBytes } from '../public-random.ts';
import { deriveKey, GCM_IV_BYTES, GCM_TAG_BYTES, gcmDecrypt, gcmEncrypt, KEY_BYTES } from './primitives.ts';

/** Wrong key, wrong context, wrong tag, truncated, not a ciphertext at all: one error, from one place in `open`. */
export class InvalidCiphertext extends Error {
  override readonly name = 'InvalidCiphertext';
  constructor() {
    super('the ciphertext is invalid');
  }
}

/** Which key a ciphertext names. Read before anything is authenticated: good for finding the key, for nothing else. */
export interface EnvelopeKeyName {
  /** A KMS key's id (1 to 64 ASCII characters). */
  readonly keyId: string;
  /** 64 hexadecimal digits: which of the key's materials it is under. */
  readonly materialId: string;
}

/** Key material with its name. */
export interface EnvelopeKey extends EnvelopeKeyName {
  /** 32 bytes. An object, since what is given as bytes is looked at anew with every use (on Node 24: at five times the price). */
  readonly material: KeyObject;
}

/** Bytes that `encrypt` adds to its plaintext for a key id of 36 characters, a UUID. */
export const ENVELOPE_OVERHEAD_BYTES = 130;

const VERSION = 1;
const MATERIAL_ID_BYTES = 32;
const SALT_BYTES = 32;
const MAX_KEY_ID_BYTES = 64;
const KEY_ID = /^[A-Za-z0-9/_-]{1,64}$/;
const MATERIAL_ID = /^[0-9a-f]{64}$/;

/** The derivation's label. */
const PURPOSE = 'holdfast/kms/ciphertext/v1';

// header: version (1) ‖ length of key id (1) ‖ key id ‖ material id (32) ‖ salt (32) ‖ iv (12); then ciphertext ‖ tag (16).
/**
 * Encrypts under a key derived for this message alone (NIST SP 800-108, random salt), AES-256-GCM, bound to the context.
 * @param plaintext at most 4096 bytes by KMS's rule, for a blob of at most 6144; stays the caller's to zero.
 * @throws TypeError for a malformed key or context (both are checked before, so: a bug).
 */
export const encryptEnvelope = (key: EnvelopeKey, plaintext: Uint8Array, context: EncryptionContext): Buffer => {
  if (!KEY_ID.test(key.keyId) || !MATERIAL_ID.test(key.materialId) || key.material.symmetricKeySize !== KEY_BYTES) {
    throw new TypeError(`not an envelope key: ${key.keyId}, ${key.materialId}`);
  }
  const salt = publicRandomBytes(SALT_BYTES);
  const iv = publicRandomBytes(GCM_IV_BYTES);
  const header = Buffer.concat([
    Buffer.from([VERSION, key.keyId.length]),
    Buffer.from(key.keyId, 'ascii'),
    Buffer.from(key.materialId, 'hex'),
    salt,
    iv,
  ]);
  const messageKey = deriveKey(key.material, PURPOSE, salt);
  const aad = Buffer.concat([header, encodeContext(context)]);
  return Buffer.concat([header, gcmEncrypt(messageKey, iv, aad, plaintext)]);
};

interface Parsed extends EnvelopeKeyName {
  readonly header: Buffer;
  readonly salt: Buffer;
  readonly iv: Buffer;
  readonly sealed: Buffer;
}

const parse = (blob: Uint8Array): Parsed | null => {
  const bytes = Buffer.from(blob.buffer, blob.byteOffset, blob.byteLength);
  const keyIdBytes = bytes[1] ?? 0;
  const headerBytes = 2 + keyIdBytes + MATERIAL_ID_BYTES + SALT_BYTES + GCM_IV_BYTES;
  if (bytes[0] !== VERSION || keyIdBytes > MAX_KEY_ID_BYTES || bytes.length < headerBytes + GCM_TAG_BYTES) return null;
  const keyId = bytes.toString('latin1', 2, 2 + keyIdBytes);
  if (!KEY_ID.test(keyId)) return null;
  const saltAt = 2 + keyIdBytes + MATERIAL_ID_BYTES;
  return {
    keyId,
    materialId: bytes.toString('hex', 2 + keyIdBytes, saltAt),
    header: bytes.subarray(0, headerBytes),
    salt: bytes.subarray(saltAt, saltAt + SALT_BYTES),
    iv: bytes.subarray(saltAt + SALT_BYTES, headerBytes),
    sealed: bytes.subarray(headerBytes),
  };
};

const decryptParsed = (parsed: Parsed, key: EnvelopeKey, context: EncryptionContext): Buffer | null => {
  if (parsed.keyId !== key.keyId || parsed.materialId !== key.materialId) return null;
  const messageKey = deriveKey(key.material, PURPOSE, parsed.salt);
  const aad = Buffer.concat([parsed.header, encodeContext(context)]);
  return gcmDecrypt(messageKey, parsed.iv, aad, parsed.sealed);
};

/** @returns plaintext in a buffer of its own; the caller zeroes it when done. @throws InvalidCiphertext */
export const decryptEnvelope = (key: EnvelopeKey, blob: Uint8Array, context: EncryptionContext): Buffer => {
  const parsed = parse(blob);
  const plaintext = parsed && decryptParsed(parsed, key, context);
  if (plaintext === null) throw new InvalidCiphertext();
  return plaintext;
};

/** Which key a blob says it is under; null when it is no blob of ours. Unauthenticated. */
export const envelopeKeyName = (blob: Uint8Array): EnvelopeKeyName | null => {
  const parsed = parse(blob);
  return parsed && { keyId: parsed.keyId, materialId: parsed.materialId };
};
