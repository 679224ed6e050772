import { createSecretKey, type KeyObject, randomFillSync, timingSafeEqual } from 'node:crypto';
import { type DSA, ml_dsa44, ml_dsa65, ml_dsa87 } from '@noble/post-quantum/ml-dsa.js';

// ML-DSA (FIPS 204), which no Node before 24.7 has. There is no KeyObject for such keys on those, so the encoded key, private
// or public, is kept in a secret one: OpenSSL's copy, wiped when the last reference is collected.

const SETS = {
  ML_DSA_44: { dsa: ml_dsa44, arc: 0x11 },
  ML_DSA_65: { dsa: ml_dsa65, arc: 0x12 },
  ML_DSA_87: { dsa: ml_dsa87, arc: 0x13 },
} as const satisfies Record<string, { dsa: DSA; arc: number }>;
export type MlDsaSpec = keyof typeof SETS;
const SPECS = Object.keys(SETS) as MlDsaSpec[];

const SEED_BYTES = 32;
const publicKeyBytes = (spec: MlDsaSpec): number => SETS[spec].dsa.lengths.publicKey ?? 0;
const secretKeyBytes = (spec: MlDsaSpec): number => SETS[spec].dsa.lengths.secretKey ?? 0;

const der = (tag: number, ...parts: readonly Uint8Array[]): Buffer => {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), ...parts]);
};

const INTEGER_ZERO = Buffer.from('020100', 'hex');
const NO_UNUSED_BITS = Buffer.from([0]);

/** AlgorithmIdentifier without parameters: 2.16.840.1.101.3.4.3.17 to 19 (RFC 9881 §2). */
const algorithm = (spec: MlDsaSpec): Buffer =>
  der(0x30, der(0x06, Buffer.from('6086480165030403', 'hex'), Buffer.from([SETS[spec].arc])));

const subjectPublicKeyInfo = (spec: MlDsaSpec, publicKey: Uint8Array): Buffer =>
  der(0x30, algorithm(spec), der(0x03, NO_UNUSED_BITS, publicKey));

const NO_SEED = Buffer.alloc(SEED_BYTES);
const pkcs8 = (spec: MlDsaSpec, key: Buffer): Buffer => der(0x30, INTEGER_ZERO, algorithm(spec), der(0x04, key));

/** PKCS #8 with the seed alone, the form that RFC 9881 §6 recommends. Only the one buffer has the seed. */
const pkcs8OfSeed = (spec: MlDsaSpec, seed: Uint8Array): Buffer => {
  const whole = pkcs8(spec, der(0x80, NO_SEED));
  whole.set(seed, whole.length - SEED_BYTES);
  return whole;
};

/** PKCS #8 with the seed and the key that it expands to, as OpenSSL writes it; where the seed is, and what comes before it. */
const formOfBoth = (spec: MlDsaSpec): { lengthBytes: number; seedAt: number; empty: Buffer } => {
  const expanded = Buffer.alloc(secretKeyBytes(spec));
  const empty = pkcs8(spec, der(0x30, der(0x04, NO_SEED), der(0x04, expanded)));
  return { lengthBytes: empty.length, seedAt: empty.length - expanded.length - 4 - SEED_BYTES, empty };
};

const expand = (spec: MlDsaSpec, seed: Uint8Array): { publicKey: Uint8Array; secretKey: Uint8Array } => {
  const own = Uint8Array.from(seed);
  try {
    return SETS[spec].dsa.keygen(own);
  } finally {
    own.fill(0);
  }
};

/** What such a key must look like, with the seed that it has: whatever differs anywhere is none. */
const expectedPkcs8 = (spec: MlDsaSpec, given: Uint8Array): { whole: Buffer; seed: Uint8Array } => {
  const both = formOfBoth(spec);
  if (given.length !== both.lengthBytes) {
    const seed = given.subarray(-SEED_BYTES);
    return { whole: pkcs8OfSeed(spec, seed), seed };
  }
  const seed = given.subarray(both.seedAt, both.seedAt + SEED_BYTES);
  const { secretKey } = expand(spec, seed);
  both.empty.set(seed, both.seedAt);
  both.empty.set(secretKey, both.lengthBytes - secretKey.length);
  secretKey.fill(0);
  return { whole: both.empty, seed };
};

/** The key of a PKCS #8, or null where its bytes are no such key; also where the seed does not expand to what follows it. */
export const mlDsaPrivateKey = (spec: MlDsaSpec, given: Uint8Array): KeyObject | null => {
  if (given.length < SEED_BYTES) return null;
  const { whole, seed } = expectedPkcs8(spec, given);
  const short = pkcs8OfSeed(spec, seed);
  try {
    return whole.length === given.length && timingSafeEqual(whole, given) ? createSecretKey(short) : null;
  } finally {
    whole.fill(0);
    short.fill(0);
  }
};

/** The key of a SubjectPublicKeyInfo, or null where its bytes are no such key. */
export const mlDsaPublicKey = (spec: MlDsaSpec, spki: Uint8Array): KeyObject | null => {
  const publicKey = spki.subarray(-publicKeyBytes(spec));
  const whole = subjectPublicKeyInfo(spec, publicKey);
  return whole.equals(spki) ? createSecretKey(whole) : null;
};

/** @returns PKCS #8 of a fresh seed, and SubjectPublicKeyInfo. */
export const generateMlDsaPair = (spec: MlDsaSpec): { privateKey: Buffer; publicKey: Buffer } => {
  const seed = randomFillSync(Buffer.alloc(SEED_BYTES));
  const { publicKey, secretKey } = expand(spec, seed);
  try {
    return { privateKey: pkcs8OfSeed(spec, seed), publicKey: subjectPublicKeyInfo(spec, publicKey) };
  } finally {
    seed.fill(0);
    secretKey.fill(0);
  }
};

/** What was kept, and by its object identifier of which parameter set. */
const opened = (key: KeyObject): { spec: MlDsaSpec; bytes: Buffer } => {
  const bytes = key.export();
  const spec = SPECS.find((name) => bytes.subarray(0, 32).includes(algorithm(name)));
  if (spec === undefined) throw new TypeError('not an ML-DSA key');
  return { spec, bytes };
};

const withExpanded = <Result>(
  key: KeyObject,
  work: (dsa: DSA, pair: { publicKey: Uint8Array; secretKey: Uint8Array }, spec: MlDsaSpec) => Result,
): Result => {
  const { spec, bytes } = opened(key);
  const pair = expand(spec, bytes.subarray(-SEED_BYTES));
  bytes.fill(0);
  try {
    return work(SETS[spec].dsa, pair, spec);
  } finally {
    pair.secretKey.fill(0);
  }
};

/** SubjectPublicKeyInfo of a private key. */
export const mlDsaPublicKeyBytes = (privateKey: KeyObject): Buffer =>
  withExpanded(privateKey, (_, { publicKey }, spec) => subjectPublicKeyInfo(spec, publicKey));

/**
 * Hedged: fresh randomness goes into each signature (FIPS 204 §3.4); the context is empty.
 * @param isMu whether `message` is µ, of 64 bytes, and not the message itself.
 * @param hedged false makes the deterministic variant, which published vectors are of.
 */
export const signMlDsa = (message: Uint8Array, isMu: boolean, privateKey: KeyObject, hedged = true): Buffer =>
  withExpanded(privateKey, (dsa, { secretKey }) => {
    const options = hedged ? {} : ({ extraEntropy: false } as const);
    const bytes = Uint8Array.from(message);
    return Buffer.from(
      isMu
        ? dsa.internal.sign(bytes, secretKey, { ...options, externalMu: true })
        : dsa.sign(bytes, secretKey, options),
    );
  });

/** @returns false for every signature that does not fit, malformed ones too. */
export const verifyMlDsa = (
  message: Uint8Array,
  isMu: boolean,
  signature: Uint8Array,
  publicKey: KeyObject,
): boolean => {
  const { spec, bytes } = opened(publicKey);
  const { dsa } = SETS[spec];
  const key = Uint8Array.from(bytes.subarray(-publicKeyBytes(spec)));
  const [signed, about] = [Uint8Array.from(signature), Uint8Array.from(message)];
  try {
    return isMu ? dsa.internal.verify(signed, about, key, { externalMu: true }) : dsa.verify(signed, about, key);
  } catch {
    return false;
  }
};
