import { constants, createHash, type KeyObject, privateEncrypt, publicDecrypt, randomBytes } from 'node:crypto';
import type { HashName } from './algorithms.ts';

// RSA signatures of digests that somebody else computed. Node signs whole messages only, so the encodings of RFC 8017 §9
// are written here, around OpenSSL's RSA operation.

/** DER of DigestInfo up to the digest (RFC 8017 §9.2, note 1). */
const DIGEST_INFO: Readonly<Record<HashName, Buffer>> = {
  sha256: Buffer.from('3031300d060960864801650304020105000420', 'hex'),
  sha384: Buffer.from('3041300d060960864801650304020205000430', 'hex'),
  sha512: Buffer.from('3051300d060960864801650304020305000440', 'hex'),
};

const modulusBits = (key: KeyObject): number => {
  const bits = key.asymmetricKeyDetails?.modulusLength;
  if (bits === undefined) throw new TypeError('not an RSA key');
  return bits;
};

const hashOf = (hash: HashName, ...parts: readonly Uint8Array[]): Buffer => {
  const digest = createHash(hash);
  for (const part of parts) digest.update(part);
  return digest.digest();
};

/** RFC 8017 appendix B.2.1. */
const mgf1 = (hash: HashName, seed: Buffer, lengthBytes: number): Buffer => {
  const blocks: Buffer[] = [];
  for (let counter = 0, made = 0; made < lengthBytes; counter++) {
    const index = Buffer.alloc(4);
    index.writeUInt32BE(counter);
    const block = hashOf(hash, seed, index);
    blocks.push(block);
    made += block.length;
  }
  return Buffer.concat(blocks).subarray(0, lengthBytes);
};

const xor = (a: Buffer, b: Buffer): Buffer => Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)));

/** EMSA-PKCS1-v1_5 (RFC 8017 §9.2). */
const encodePkcs1 = (hash: HashName, digest: Buffer, sizeBytes: number): Buffer => {
  const info = Buffer.concat([DIGEST_INFO[hash], digest]);
  const padding = Buffer.alloc(sizeBytes - info.length - 3, 0xff);
  return Buffer.concat([Buffer.from([0, 1]), padding, Buffer.from([0]), info]);
};

/** EMSA-PSS (RFC 8017 §9.1.1) with a salt as long as the digest, which is what KMS uses. */
const encodePss = (hash: HashName, digest: Buffer, bits: number): Buffer => {
  const sizeBytes = Math.ceil(bits / 8);
  const salt = randomBytes(digest.length);
  const h = hashOf(hash, Buffer.alloc(8), digest, salt);
  const db = Buffer.concat([Buffer.alloc(sizeBytes - salt.length - h.length - 2), Buffer.from([1]), salt]);
  const masked = xor(db, mgf1(hash, h, db.length));
  masked[0] = (masked[0] ?? 0) & (0xff >> (8 * sizeBytes - bits));
  return Buffer.concat([masked, h, Buffer.from([0xbc])]);
};

/** RFC 8017 §9.1.2, salt as long as the digest. */
const fitsPss = (hash: HashName, digest: Buffer, encoded: Buffer, bits: number): boolean => {
  const sizeBytes = Math.ceil(bits / 8);
  const unused = 0xff & ~(0xff >> (8 * sizeBytes - bits));
  if (encoded.length !== sizeBytes || encoded.at(-1) !== 0xbc || ((encoded[0] ?? 0) & unused) !== 0) return false;
  const dbBytes = sizeBytes - digest.length - 1;
  const h = encoded.subarray(dbBytes, -1);
  const db = xor(encoded.subarray(0, dbBytes), mgf1(hash, h, dbBytes));
  db[0] = (db[0] ?? 0) & ~unused;
  const saltAt = dbBytes - digest.length;
  if (db[saltAt - 1] !== 1 || db.subarray(0, saltAt - 1).some((byte) => byte !== 0)) return false;
  return hashOf(hash, Buffer.alloc(8), digest, db.subarray(saltAt)).equals(h);
};

type RsaScheme = 'pkcs1' | 'pss';

export const signRsaDigest = (scheme: RsaScheme, hash: HashName, digest: Buffer, key: KeyObject): Buffer => {
  const bits = modulusBits(key);
  const sizeBytes = Math.ceil(bits / 8);
  const encoded = scheme === 'pkcs1' ? encodePkcs1(hash, digest, sizeBytes) : encodePss(hash, digest, bits - 1);
  const whole = Buffer.concat([Buffer.alloc(sizeBytes - encoded.length), encoded]);
  return privateEncrypt({ key, padding: constants.RSA_NO_PADDING }, whole);
};

export const verifyRsaDigest = (
  scheme: RsaScheme,
  hash: HashName,
  digest: Buffer,
  signature: Uint8Array,
  key: KeyObject,
): boolean => {
  const bits = modulusBits(key);
  const sizeBytes = Math.ceil(bits / 8);
  if (signature.length !== sizeBytes) return false;
  let encoded: Buffer;
  try {
    encoded = publicDecrypt({ key, padding: constants.RSA_NO_PADDING }, signature);
  } catch {
    return false; // A number as large as the modulus.
  }
  // Built anew and compared whole: nothing of the padding is parsed, so nothing of it can be misread.
  if (scheme === 'pkcs1') return encoded.equals(encodePkcs1(hash, digest, sizeBytes));
  return fitsPss(hash, digest, encoded.subarray(sizeBytes - Math.ceil((bits - 1) / 8)), bits - 1);
};
