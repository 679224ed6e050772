import { constants, type KeyObject, privateDecrypt, publicEncrypt } from 'node:crypto';
import { InvalidCiphertext } from '../envelope/envelope.ts';
import { OAEP_ALGORITHMS, type OaepAlgorithm } from './algorithms.ts';

const padding = (algorithm: OaepAlgorithm) => ({
  padding: constants.RSA_PKCS1_OAEP_PADDING,
  oaepHash: OAEP_ALGORITHMS[algorithm].hash,
});

/** Longest plaintext, in bytes, that fits under a modulus. */
export const oaepCapacityBytes = (algorithm: OaepAlgorithm, modulusBits: number): number =>
  modulusBits / 8 - OAEP_ALGORITHMS[algorithm].overheadBytes;

/** RSAES-OAEP (RFC 8017 §7.1), MGF1 with the same hash, empty label. @param plaintext at most `oaepCapacityBytes`. */
export const encryptOaep = (algorithm: OaepAlgorithm, plaintext: Uint8Array, key: KeyObject): Buffer =>
  publicEncrypt({ key, ...padding(algorithm) }, plaintext);

/** @returns plaintext, the caller's to zero. @throws InvalidCiphertext, whatever is wrong with it. */
export const decryptOaep = (algorithm: OaepAlgorithm, ciphertext: Uint8Array, key: KeyObject): Buffer => {
  try {
    return privateDecrypt({ key, ...padding(algorithm) }, ciphertext);
  } catch {
    throw new InvalidCiphertext();
  }
};
