import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  decryptOaep,
  deriveSharedSecret,
  encryptOaep,
  generateKeyPair,
  type KeyPairSpec,
  privateKeyOf,
  publicKeyOf,
  sign,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
  UnfitKey,
  UnfitMessage,
  verify,
} from '../index.ts';

// What we make, the openssl command takes, and the other way round.

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-openssl-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, bytes: Uint8Array) => {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
};
const openssl = (...args: string[]): Buffer => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] });
const accepts = (...args: string[]): boolean => {
  try {
    openssl(...args);
    return true;
  } catch {
    return false;
  }
};

const CASES: [KeyPairSpec, SigningAlgorithm][] = [
  ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256'],
  ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_384'],
  ['RSA_3072', 'RSASSA_PKCS1_V1_5_SHA_512'],
  ['RSA_2048', 'RSASSA_PSS_SHA_256'],
  ['RSA_3072', 'RSASSA_PSS_SHA_384'],
  ['RSA_2048', 'RSASSA_PSS_SHA_512'],
  ['ECC_NIST_P256', 'ECDSA_SHA_256'],
  ['ECC_NIST_P384', 'ECDSA_SHA_384'],
  ['ECC_NIST_P521', 'ECDSA_SHA_512'],
  ['ECC_SECG_P256K1', 'ECDSA_SHA_256'],
];

describe('signatures of digests', () => {
  it.each(CASES)('%s with %s', async (spec, algorithm) => {
    const { hash, scheme } = SIGNING_ALGORITHMS[algorithm];
    const pair = await generateKeyPair(spec);
    const [privateKey, publicKey] = [privateKeyOf(spec, pair.privateKey), publicKeyOf(spec, pair.publicKey)];
    const [priv, pub] = [file('priv.der', pair.privateKey), file('pub.der', pair.publicKey)];
    const message = randomBytes(100);
    const digest = createHash(hash).update(message).digest();
    const options = [
      ...(scheme === 'ecdsa' ? [] : ['-pkeyopt', `digest:${hash}`]),
      ...(scheme === 'pss' ? ['-pkeyopt', 'rsa_padding_mode:pss', '-pkeyopt', 'rsa_pss_saltlen:digest'] : []),
    ];
    const inFile = file('digest', digest);
    for (const request of [
      { algorithm, messageType: 'DIGEST', message: digest },
      { algorithm, messageType: 'RAW', message },
    ] as const) {
      const signature = sign(request, privateKey);
      const sig = file('sig', signature);
      const check = ['pkeyutl', '-verify', '-pubin', '-inkey', pub, '-keyform', 'DER', '-sigfile', sig, ...options];
      expect(accepts(...check, '-in', inFile)).toBe(true);
      expect(accepts(...check, '-in', file('other', createHash(hash).update('other').digest()))).toBe(false);
      const theirs = openssl('pkeyutl', '-sign', '-inkey', priv, '-keyform', 'DER', '-in', inFile, ...options);
      expect(verify(request, theirs, publicKey)).toBe(true);
      for (const bad of [
        theirs.subarray(1),
        Buffer.concat([theirs, Buffer.from([0])]),
        Buffer.alloc(0),
        randomBytes(theirs.length),
        Buffer.alloc(theirs.length, 0xff),
      ]) {
        expect(verify(request, bad, publicKey)).toBe(false);
      }
      expect(verify({ ...request, messageType: 'DIGEST', message: createHash(hash).update('x').digest() }, theirs, publicKey)).toBe(false); // prettier-ignore
    }
    expect(() => sign({ algorithm, messageType: 'DIGEST', message: digest.subarray(1) }, privateKey)).toThrow(UnfitMessage); // prettier-ignore
  });

  it('Ed25519 takes whole messages only, Ed25519ph digests only', async () => {
    const { privateKey } = await generateKeyPair('ECC_NIST_EDWARDS25519');
    const key = privateKeyOf('ECC_NIST_EDWARDS25519', privateKey);
    const message = randomBytes(64);
    expect(() => sign({ algorithm: 'ED25519_SHA_512', messageType: 'DIGEST', message }, key)).toThrow(UnfitMessage);
    expect(() => sign({ algorithm: 'ED25519_PH_SHA_512', messageType: 'RAW', message }, key)).toThrow(UnfitMessage);
  });
});

it.each(['sha1', 'sha256'] as const)('RSAES-OAEP with %s', async (hash) => {
  const algorithm = hash === 'sha1' ? 'RSAES_OAEP_SHA_1' : 'RSAES_OAEP_SHA_256';
  const pair = await generateKeyPair('RSA_2048');
  const [priv, pub] = [file('priv.der', pair.privateKey), file('pub.der', pair.publicKey)];
  const options = ['-pkeyopt', 'rsa_padding_mode:oaep', '-pkeyopt', `rsa_oaep_md:${hash}`, '-pkeyopt', `rsa_mgf1_md:${hash}`]; // prettier-ignore
  const plaintext = randomBytes(100);
  const ours = encryptOaep(algorithm, plaintext, publicKeyOf('RSA_2048', pair.publicKey));
  expect(openssl('pkeyutl', '-decrypt', '-inkey', priv, '-keyform', 'DER', '-in', file('ct', ours), ...options)).toEqual(plaintext); // prettier-ignore
  const theirs = openssl('pkeyutl', '-encrypt', '-pubin', '-inkey', pub, '-keyform', 'DER', '-in', file('pt', plaintext), ...options); // prettier-ignore
  expect(decryptOaep(algorithm, theirs, privateKeyOf('RSA_2048', pair.privateKey))).toEqual(plaintext);
});

it.each(['ECC_NIST_P256', 'ECC_NIST_P384', 'ECC_NIST_P521'] as const)('ECDH on %s', async (spec) => {
  const [ours, theirs] = [await generateKeyPair(spec), await generateKeyPair(spec)];
  const secret = deriveSharedSecret(privateKeyOf(spec, ours.privateKey), publicKeyOf(spec, theirs.publicKey));
  const [priv, peer] = [file('priv.der', theirs.privateKey), file('peer.der', ours.publicKey)];
  expect(openssl('pkeyutl', '-derive', '-inkey', priv, '-keyform', 'DER', '-peerkey', peer, '-peerform', 'DER')).toEqual(secret); // prettier-ignore
});

it('a key of another kind, or with bytes added, is none', async () => {
  const [rsa, ec] = [await generateKeyPair('RSA_2048'), await generateKeyPair('ECC_NIST_P256')];
  for (const bytes of [
    rsa.publicKey,
    Buffer.concat([ec.publicKey, Buffer.from([0])]),
    ec.publicKey.subarray(1),
    Buffer.alloc(0),
  ]) {
    // prettier-ignore
    expect(() => publicKeyOf('ECC_NIST_P256', bytes)).toThrow(UnfitKey);
  }
  expect(() => publicKeyOf('ECC_SECG_P256K1', ec.publicKey)).toThrow(UnfitKey);
  expect(() => publicKeyOf('RSA_3072', rsa.publicKey)).toThrow(UnfitKey);
  expect(() => privateKeyOf('ECC_NIST_P384', ec.privateKey)).toThrow(UnfitKey);
  expect(() => privateKeyOf('RSA_2048', randomBytes(100))).toThrow(UnfitKey);
});
