import { createSecretKey, type KeyObject, type webcrypto } from 'node:crypto';
import { Aes256Gcm, CipherSuite, DhkemP256HkdfSha256, HkdfSha256 } from '@hpke/core';
import {
  MESSAGE_OVERHEAD_BYTES,
  openMessage,
  sealMessage,
  SESSION_KEY_BYTES,
  type SessionKeys,
  Sessions,
} from './sessions.ts';

/** RFC 9180 suite (0x0010, 0x0001, 0x0002): everything in it is done by the platform's own Web Crypto. */
const suite = new CipherSuite({ kem: new DhkemP256HkdfSha256(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });

/** An encapsulated key and a public key are both an uncompressed P-256 point. */
const POINT_BYTES = 65;
/** Above every secret that travels (4096 bytes of Encrypt's plaintext), so that nobody makes us decrypt megabytes. */
export const MAX_PLAINTEXT_BYTES = 8192;
const MAX_SEALED_BYTES = POINT_BYTES + MESSAGE_OVERHEAD_BYTES + MAX_PLAINTEXT_BYTES;
/** RFC 9180 §7.1.3: the seed carries at least as many bytes as a private key. */
const MIN_SEED_BYTES = 32;

/** The contexts' info and their exporter's (RFC 9180 §5.3): the one use that their secrets are put to. */
const SESSION_INFO = 'holdfast/sealing/session/v1';
const EXPORT_CONTEXT = Buffer.from('holdfast/sealing/aes-256-gcm/v1', 'utf8');

/**
 * Most messages under one session's key: with random 96-bit nonces two of 2^20 are alike with a probability below 2^-57
 * (NIST SP 800-38D §8.3 would allow 2^32). A recipient remembers a session longer than a sender goes on with it.
 */
const SENDER_LIMITS = { sessions: 1024, ageMs: 600_000, messages: 2 ** 20 };
const RECIPIENT_LIMITS = { sessions: 1024, ageMs: 660_000, messages: Infinity };

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

const fail = (): never => {
  throw new SealingFailed();
};

/** Strict: canonical base64 of at most `maxBytes`; Buffer.from alone would skip characters that do not belong. */
const fromBase64 = (text: string, maxBytes: number): Buffer => {
  if (typeof text !== 'string' || text.length > Math.ceil(maxBytes / 3) * 4) throw new SealingFailed();
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length > maxBytes || bytes.toString('base64') !== text) throw new SealingFailed();
  return bytes;
};

/** A copy with an ArrayBuffer of its own: Node's small buffers share one, which Web Crypto must not be shown. */
const ownBytes = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array(bytes);

/** @param exported zeroed. */
const secretKeyOf = (exported: ArrayBuffer): KeyObject => {
  const bytes = Buffer.from(exported);
  try {
    return createSecretKey(bytes);
  } finally {
    bytes.fill(0);
  }
};

/** The session key of an encapsulation. @throws anything for a point that is none. */
const decapsulate = async (recipientKey: webcrypto.CryptoKey, enc: Buffer): Promise<SessionKeys> => {
  const info = Buffer.from(SESSION_INFO, 'utf8');
  const context = await suite.createRecipientContext({ recipientKey, enc: ownBytes(enc), info });
  return { enc, key: secretKeyOf(await context.export(ownBytes(EXPORT_CONTEXT), SESSION_KEY_BYTES)) };
};

const recipientOf = async (keys: webcrypto.CryptoKeyPair): Promise<Recipient> => {
  let privateKey: webcrypto.CryptoKey | null = keys.privateKey;
  const sessions = new Sessions(RECIPIENT_LIMITS);
  const publicKey = Buffer.from(await suite.kem.serializePublicKey(keys.publicKey));
  return {
    publicKeyBase64: publicKey.toString('base64'),
    open: async (sealedBase64, info) => {
      const sealed = fromBase64(sealedBase64, MAX_SEALED_BYTES);
      const recipientKey = privateKey;
      if (recipientKey === null || sealed.length < POINT_BYTES + MESSAGE_OVERHEAD_BYTES) throw new SealingFailed();
      const enc = Buffer.from(sealed.subarray(0, POINT_BYTES));
      const message = sealed.subarray(POINT_BYTES);
      let plaintext: Buffer | null;
      try {
        plaintext = await sessions.use(
          enc.toString('base64'),
          () => decapsulate(recipientKey, enc),
          ({ key }) => openMessage(key, message, info),
        );
      } catch {
        throw new SealingFailed();
      }
      return plaintext ?? fail();
    },
    destroy: () => {
      privateKey = null;
      sessions.close();
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

/** This process's sessions as a sender, by the recipient's public key. */
const senderSessions = new Sessions(SENDER_LIMITS);

/** A new session with a recipient. @throws anything for a point that is not on the curve. */
const encapsulate = async (point: Buffer): Promise<SessionKeys> => {
  const recipientPublicKey = await suite.kem.deserializePublicKey(ownBytes(point));
  const context = await suite.createSenderContext({ recipientPublicKey, info: Buffer.from(SESSION_INFO, 'utf8') });
  const key = secretKeyOf(await context.export(ownBytes(EXPORT_CONTEXT), SESSION_KEY_BYTES));
  return { enc: Buffer.from(context.enc), key };
};

/**
 * Encrypts to a public key: AES-256-GCM under a key that an HPKE context (base mode) exports. One context serves many
 * messages of this process to this recipient; see the README for its limits.
 * @param publicKeyBase64 base64 of an uncompressed P-256 point, as `Recipient` publishes it.
 * @param plaintext at most 8192 bytes; stays the caller's to zero.
 * @param info what the message is for, e.g. `kms.Decrypt.<request id>`; opening under another purpose fails.
 * @returns base64 of enc (65 bytes), nonce (12), ciphertext and tag (16).
 * @throws SealingFailed when the public key is malformed or not on the curve, or the plaintext too long.
 */
export const seal = async (publicKeyBase64: string, plaintext: Uint8Array, info: string): Promise<string> => {
  const point = fromBase64(publicKeyBase64, POINT_BYTES);
  if (point.length !== POINT_BYTES || plaintext.length > MAX_PLAINTEXT_BYTES) throw new SealingFailed();
  try {
    return await senderSessions.use(
      publicKeyBase64,
      () => encapsulate(point),
      ({ enc, key }) => Buffer.concat([enc, sealMessage(key, plaintext, info)]).toString('base64'),
    );
  } catch {
    throw new SealingFailed();
  }
};
