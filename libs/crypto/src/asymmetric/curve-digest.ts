import type { KeyObject } from 'node:crypto';
import { eddsa } from '@noble/curves/abstract/edwards.js';
import type { ECDSA } from '@noble/curves/abstract/weierstrass.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256, p384, p521 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { sha512 } from '@noble/hashes/sha2.js';

// Signatures of digests on elliptic curves, which Node's crypto does not make: it always hashes the message itself.

const CURVES: Readonly<Record<string, ECDSA>> = { prime256v1: p256, secp384r1: p384, secp521r1: p521, secp256k1 };

const curveOf = (key: KeyObject): ECDSA => {
  const curve = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (curve === undefined) throw new TypeError('not a key on a curve that KMS has');
  return curve;
};

/** The coordinates that a JWK spells out, as long as the curve's field. */
const jwkBytes = (key: KeyObject, member: 'd' | 'x' | 'y', sizeBytes: number): Uint8Array => {
  const text = key.export({ format: 'jwk' })[member];
  if (text === undefined) throw new TypeError(`the key has no ${member}`);
  const bytes = Buffer.from(text, 'base64url');
  return Uint8Array.from(Buffer.concat([Buffer.alloc(Math.max(0, sizeBytes - bytes.length)), bytes]));
};

const publicPoint = (key: KeyObject, curve: ECDSA): Uint8Array => {
  const sizeBytes = curve.Point.Fp.BYTES;
  const [x, y] = [jwkBytes(key, 'x', sizeBytes), jwkBytes(key, 'y', sizeBytes)];
  return Uint8Array.from([4, ...x, ...y]);
};

/** @returns DER. The nonce is RFC 6979's with fresh entropy mixed in. */
export const signEcdsaDigest = (digest: Uint8Array, key: KeyObject): Buffer => {
  const curve = curveOf(key);
  const secret = jwkBytes(key, 'd', curve.Point.Fn.BYTES);
  try {
    const options = { prehash: false, lowS: false, extraEntropy: true, format: 'der' } as const;
    return Buffer.from(curve.sign(Uint8Array.from(digest), secret, options));
  } finally {
    secret.fill(0);
  }
};

export const verifyEcdsaDigest = (digest: Uint8Array, signature: Uint8Array, key: KeyObject): boolean => {
  const curve = curveOf(key);
  try {
    return curve.verify(Uint8Array.from(signature), Uint8Array.from(digest), publicPoint(key, curve), {
      prehash: false,
      lowS: false,
      format: 'der',
    });
  } catch {
    return false; // No DER, or numbers out of range.
  }
};

/** RFC 8032 §5.1, Ed25519ph with an empty context, over digests that are there already. */
const DOM2 = Buffer.from('SigEd25519 no Ed25519 collisions', 'ascii');
const ed25519ph = eddsa(ed25519.Point, sha512, {
  prehash: (digest: Uint8Array) => Uint8Array.from(digest),
  domain: (data: Uint8Array, context: Uint8Array, prehashed: boolean) =>
    Uint8Array.from(Buffer.concat([DOM2, Buffer.from([prehashed ? 1 : 0, context.length]), context, data])),
  adjustScalarBytes: (bytes: Uint8Array) => {
    bytes[0] = (bytes[0] ?? 0) & 248;
    bytes[31] = ((bytes[31] ?? 0) & 127) | 64;
    return bytes as Uint8Array<ArrayBuffer>;
  },
});

export const signEd25519Digest = (digest: Uint8Array, key: KeyObject): Buffer => {
  const secret = jwkBytes(key, 'd', 32);
  try {
    return Buffer.from(ed25519ph.sign(Uint8Array.from(digest), secret));
  } finally {
    secret.fill(0);
  }
};

export const verifyEd25519Digest = (digest: Uint8Array, signature: Uint8Array, key: KeyObject): boolean => {
  try {
    return ed25519ph.verify(Uint8Array.from(signature), Uint8Array.from(digest), jwkBytes(key, 'x', 32));
  } catch {
    return false;
  }
};
