import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPair as generate,
  type KeyObject,
} from 'node:crypto';
import { promisify } from 'node:util';
import { KEY_PAIR_SPECS, type KeyPairSpec } from './algorithms.ts';
import { generateMlDsaPair, mlDsaPrivateKey, mlDsaPublicKey, mlDsaPublicKeyBytes, type MlDsaSpec } from './ml-dsa.ts';

const generateAsync = promisify(generate) as unknown as (
  type: string,
  options: object,
) => Promise<{ publicKey: Buffer; privateKey: Buffer }>;

/** Bytes that are no key, or one of another kind. */
export class UnfitKey extends Error {
  override readonly name = 'UnfitKey';
}

export interface KeyPairBytes {
  /** PKCS #8, DER (RFC 5208); the caller zeroes it. */
  readonly privateKey: Buffer;
  /** SubjectPublicKeyInfo, DER (RFC 5280). */
  readonly publicKey: Buffer;
}

const ENCODINGS = {
  publicKeyEncoding: { type: 'spki', format: 'der' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
};

/** On a thread of its own, but for ML-DSA's few milliseconds: an RSA key takes from a tenth of a second to several. */
export const generateKeyPair = async (spec: KeyPairSpec): Promise<KeyPairBytes> => {
  const row = KEY_PAIR_SPECS[spec];
  switch (row.type) {
    case 'rsa':
      return generateAsync('rsa', { modulusLength: row.bits, ...ENCODINGS });
    case 'ec':
      return generateAsync('ec', { namedCurve: row.curve, ...ENCODINGS });
    case 'ed25519':
      return generateAsync('ed25519', ENCODINGS);
    case 'ml-dsa':
      return generateMlDsaPair(spec as MlDsaSpec);
  }
};

const isOf = (spec: KeyPairSpec, key: KeyObject): boolean => {
  const row = KEY_PAIR_SPECS[spec];
  if (key.asymmetricKeyType !== row.type) return false;
  const details = key.asymmetricKeyDetails;
  if (row.type === 'rsa') return details?.modulusLength === row.bits && details.publicExponent === 65_537n;
  return row.type !== 'ec' || details?.namedCurve === row.curve;
};

const isMlDsa = (spec: KeyPairSpec): spec is MlDsaSpec => KEY_PAIR_SPECS[spec].type === 'ml-dsa';

const fit = (key: KeyObject | null): KeyObject => {
  if (key === null) throw new UnfitKey();
  return key;
};

/** Of ML-DSA, a key with its seed: one that is expanded only is not taken. @throws UnfitKey */
export const privateKeyOf = (spec: KeyPairSpec, pkcs8: Uint8Array): KeyObject => {
  if (isMlDsa(spec)) return fit(mlDsaPrivateKey(spec, pkcs8));
  let key: KeyObject;
  try {
    key = createPrivateKey({
      key: Buffer.from(pkcs8.buffer, pkcs8.byteOffset, pkcs8.length),
      format: 'der',
      type: 'pkcs8',
    });
  } catch {
    throw new UnfitKey();
  }
  if (!isOf(spec, key)) throw new UnfitKey();
  return key;
};

/** A curve by its name and a whole point: explicit parameters could spell a weaker curve, or bytes could follow. */
const isPlainlyEncoded = (key: KeyObject, spki: Uint8Array): boolean =>
  createPublicKey({ key: key.export({ format: 'jwk' }), format: 'jwk' })
    .export({ format: 'der', type: 'spki' })
    .equals(spki);

/** @throws UnfitKey; also for a point that is not on its curve. */
export const publicKeyOf = (spec: KeyPairSpec, spki: Uint8Array): KeyObject => {
  if (isMlDsa(spec)) return fit(mlDsaPublicKey(spec, spki));
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(spki.buffer, spki.byteOffset, spki.length), format: 'der', type: 'spki' });
  } catch {
    throw new UnfitKey();
  }
  if (!isOf(spec, key) || !isPlainlyEncoded(key, spki)) throw new UnfitKey();
  return key;
};

/** SubjectPublicKeyInfo of a private key. */
export const publicKeyBytes = (privateKey: KeyObject): Buffer =>
  privateKey.type === 'secret'
    ? mlDsaPublicKeyBytes(privateKey)
    : createPublicKey(privateKey).export({ format: 'der', type: 'spki' });

/** ECDH (NIST SP 800-56A §5.7.1.2): the x coordinate, as long as the curve's field. @throws UnfitKey */
export const deriveSharedSecret = (privateKey: KeyObject, publicKey: KeyObject): Buffer => {
  try {
    return diffieHellman({ privateKey, publicKey });
  } catch {
    throw new UnfitKey();
  }
};
