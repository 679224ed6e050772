import { createHmac, type KeyObject, timingSafeEqual } from 'node:crypto';
import { MAC_ALGORITHMS, type MacAlgorithm } from './algorithms.ts';

/** HMAC (RFC 2104, FIPS 198-1), not truncated. */
export const generateMac = (algorithm: MacAlgorithm, key: KeyObject, message: Uint8Array): Buffer =>
  createHmac(MAC_ALGORITHMS[algorithm].hash, key).update(message).digest();

/** In constant time; a shortened MAC is none. */
export const verifyMac = (algorithm: MacAlgorithm, key: KeyObject, message: Uint8Array, mac: Uint8Array): boolean => {
  const right = generateMac(algorithm, key, message);
  return mac.length === right.length && timingSafeEqual(right, mac);
};
