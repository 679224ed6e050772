import type { webcrypto } from 'node:crypto';
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';

/** RFC 9180 suite (0x0010, 0x0001, 0x0002): everything in it is done by the platform's own Web Crypto. */
const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** An encapsulated key and a public key are both an uncompressed P-256 point. */
const POINT_BYTES = 65;
const TAG_BYTES = 16;
/** Above every secret that travels (4096 bytes of Encrypt's plaintext), so that nobody makes us decrypt megabytes. */
export const MAX_PLAINTEXT_BYTES = 8192;
const MAX_SEALED_BYTES = POINT_BYTES + TAG_BYTES + MAX_PLAINTEXT_BYTES;
/** RFC 9180 §7.1.3: the seed carries at least as many bytes as a private key. */
const MIN_SEED_BYTES = 32;

/** Whatever was wrong with a sealed message, its key or its `info`: callers, and attackers, learn no more than this. */
export class SealingFailed extends Error {
  override readonly name = 'SealingFailed';
  constructor() {
    super('the message cannot be sealed or opened');
  }
}

/** One who can read what is sealed to `publicKeyBase64`. */
export interface Recipient {
  /** Base64 of the public key, an uncompressed P-256 point of 65 bytes. */
  readonly publicKeyBase64: string;
  /**
   * @param sealedBase64 as `seal` wrote it.
   * @param info the same purpose string that it was sealed with.
   * @returns the plaintext in a buffer of its own; the caller zeroes it when done.
   * @throws SealingFailed
   */
  open(sealedBase64: string, info: string): Promise<Buffer>;
  /** Forgets the private key; `open` fails from then on. */
  destroy(): void;
}

/** Strict: canonical base64 of at most `maxBytes`; Buffer.from alone would skip characters that do not belong. */
const fromBase64 = (text: string, maxBytes: number): Buffer => {
  if (typeof text !== 'string' || text.length > Math.ceil(maxBytes / 3) * 4) throw new SealingFailed();
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length > maxBytes || bytes.toString('base64') !== text) throw new SealingFailed();
  return bytes;
};

/** A copy with an ArrayBuffer of its own: Node's small buffers share one, which Web Crypto must not be shown. */
const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

const recipientOf = async (keys: webcrypto.CryptoKeyPair): Promise<Recipient> => {
  let privateKey: webcrypto.CryptoKey | null = keys.privateKey;
  const publicKey = Buffer.from(await suite.kem.serializePublicKey(keys.publicKey));
  return {
    publicKeyBase64: publicKey.toString('base64'),
    open: async (sealedBase64, info) => {
      const sealed = fromBase64(sealedBase64, MAX_SEALED_BYTES);
      if (privateKey === null || sealed.length < POINT_BYTES + TAG_BYTES) throw new SealingFailed();
      const enc = ownBytes(sealed.subarray(0, POINT_BYTES));
      const ciphertext = ownBytes(sealed.subarray(POINT_BYTES));
      try {
        return Buffer.from(
          await suite.open({ recipientKey: privateKey, enc, info: Buffer.from(info, 'utf8') }, ciphertext),
        );
      } catch {
        throw new SealingFailed();
      }
    },
    destroy: () => {
      privateKey = null;
    },
  };
};

/** A fresh key pair, for one answer or one process. */
export const generateRecipient = async (): Promise<Recipient> => recipientOf(await suite.kem.generateKeyPair());

/**
 * The key pair of a seed (RFC 9180 §7.1.3), the same in every process that knows it.
 * @param seed at least 32 secret bytes, used for nothing else.
 * @throws SealingFailed when the seed is short.
 */
export const deriveRecipient = async (seed: Uint8Array): Promise<Recipient> => {
  if (seed.length < MIN_SEED_BYTES) throw new SealingFailed();
  const ikm = ownBytes(seed);
  try {
    return await recipientOf(await suite.kem.deriveKeyPair(ikm));
  } finally {
    ikm.fill(0);
  }
};

/**
 * Encrypts to a public key in HPKE's base mode, one message per encapsulation.
 * @param publicKeyBase64 base64 of an uncompressed P-256 point, as `Recipient` publishes it.
 * @param plaintext at most 8192 bytes; stays the caller's to zero.
 * @param info what the message is for, e.g. `kms.Decrypt.<request id>`; opening under another purpose fails.
 * @returns base64 of enc (65 bytes) and ciphertext with tag.
 * @throws SealingFailed when the public key is malformed or not on the curve, or the plaintext too long.
 */
export const seal = async (publicKeyBase64: string, plaintext: Uint8Array, info: string): Promise<string> => {
  const point = fromBase64(publicKeyBase64, POINT_BYTES);
  if (point.length !== POINT_BYTES || plaintext.length > MAX_PLAINTEXT_BYTES) throw new SealingFailed();
  const copy = ownBytes(plaintext);
  try {
    const recipientPublicKey = await suite.kem.deserializePublicKey(ownBytes(point));
    const { enc, ct } = await suite.seal({ recipientPublicKey, info: Buffer.from(info, 'utf8') }, copy.buffer);
    return Buffer.concat([Buffer.from(enc), Buffer.from(ct)]).toString('base64');
  } catch {
    throw new SealingFailed();
  } finally {
    copy.fill(0);
  }
};
