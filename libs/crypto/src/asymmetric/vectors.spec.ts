import {
  constants,
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  publicEncrypt,
  randomBytes,
  createSecretKey,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import rfc from '../../test-vectors/rfc-signatures.json' with { type: 'json' };
import wycheproof from '../../test-vectors/wycheproof.json' with { type: 'json' };
import {
  decryptOaep,
  deriveSharedSecret,
  generateKeyPair,
  generateMac,
  InvalidCiphertext,
  type KeyPairSpec,
  type MacAlgorithm,
  type OaepAlgorithm,
  privateKeyOf,
  publicKeyOf,
  sign,
  SIGNING_ALGORITHMS,
  type SigningAlgorithm,
  unwrapImported,
  verify,
  verifyMac,
} from '../index.ts';

const hex = (text: string) => Buffer.from(text, 'hex');

describe('signatures, Wycheproof', () => {
  it.each(Object.entries(wycheproof.signatures))('%s', (_, { algorithm, keys }) => {
    const name = algorithm as SigningAlgorithm;
    const { hash, scheme } = SIGNING_ALGORITHMS[name];
    for (const { publicKeyDer, tests } of keys) {
      const key = createPublicKey({ key: hex(publicKeyDer), format: 'der', type: 'spki' });
      for (const { tcId, comment, msg, sig, result } of tests) {
        const message = hex(msg);
        const raw = verify({ algorithm: name, messageType: 'RAW', message }, hex(sig), key);
        expect(raw, `${String(tcId)} ${comment}`).toBe(result === 'valid');
        if (scheme === 'ed25519') continue;
        const digest = createHash(hash).update(message).digest();
        const own = verify({ algorithm: name, messageType: 'DIGEST', message: digest }, hex(sig), key);
        expect(own, `${String(tcId)} ${comment}, by digest`).toBe(result === 'valid');
      }
    }
  });
});

describe('signatures, RFC 6979 and RFC 8032', () => {
  it.each(rfc.ecdsa)('$source', ({ spec, algorithm, d, message, r, s }) => {
    const ecdh = createECDH({ ECC_NIST_P256: 'prime256v1', ECC_NIST_P384: 'secp384r1', ECC_NIST_P521: 'secp521r1' }[spec] ?? ''); // prettier-ignore
    ecdh.setPrivateKey(hex(d));
    const point = ecdh.getPublicKey();
    const half = (point.length - 1) / 2;
    const [x, y] = [point.subarray(1, 1 + half), point.subarray(1 + half)].map((part) => part.toString('base64url'));
    const crv = spec.replace('ECC_NIST_P', 'P-');
    const key = createPublicKey({ key: { kty: 'EC', crv, x, y }, format: 'jwk' });
    const integer = (value: string) => {
      const bytes = hex(value.replace(/^(?:00)+/, ''));
      const positive = bytes[0]! & 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
      return Buffer.concat([Buffer.from([2, positive.length]), positive]);
    };
    const body = Buffer.concat([integer(r), integer(s)]);
    const length = body.length > 127 ? [0x81, body.length] : [body.length];
    const der = Buffer.concat([Buffer.from([0x30, ...length]), body]);
    const name = algorithm as SigningAlgorithm;
    const digest = createHash(SIGNING_ALGORITHMS[name].hash).update(message).digest();
    expect(verify({ algorithm: name, messageType: 'RAW', message: Buffer.from(message) }, der, key)).toBe(true);
    expect(verify({ algorithm: name, messageType: 'DIGEST', message: digest }, der, key)).toBe(true);
  });

  it.each(rfc.ed25519)('$source', ({ algorithm, secret, publicKey, message, signature }) => {
    const pkcs8 = Buffer.concat([hex('302e020100300506032b657004220420'), hex(secret)]);
    const spki = Buffer.concat([hex('302a300506032b6570032100'), hex(publicKey)]);
    const [privateKey, key] = [privateKeyOf('ECC_NIST_EDWARDS25519', pkcs8), publicKeyOf('ECC_NIST_EDWARDS25519', spki)]; // prettier-ignore
    const name = algorithm as SigningAlgorithm;
    const byDigest = name === 'ED25519_PH_SHA_512';
    const request = {
      algorithm: name,
      messageType: byDigest ? 'DIGEST' : 'RAW',
      message: byDigest ? createHash('sha512').update(hex(message)).digest() : hex(message),
    } as const;
    expect(sign(request, privateKey).toString('hex')).toBe(signature);
    expect(verify(request, hex(signature), key)).toBe(true);
    expect(verify({ ...request, message: randomBytes(64) }, hex(signature), key)).toBe(false);
  });
});

describe('encryption, Wycheproof', () => {
  it.each(Object.entries(wycheproof.oaep))('%s', (_, { algorithm, privateKeyPkcs8, tests }) => {
    const key = privateKeyOf('RSA_2048', hex(privateKeyPkcs8));
    for (const { tcId, comment, msg, ct, result } of tests) {
      const open = () => decryptOaep(algorithm as OaepAlgorithm, hex(ct), key).toString('hex');
      if (result === 'valid') expect(open(), `${String(tcId)} ${comment}`).toBe(msg);
      else expect(open, `${String(tcId)} ${comment}`).toThrow(InvalidCiphertext);
    }
  });

  it('AES key wrap with padding, as imported material comes', async () => {
    const pair = await generateKeyPair('RSA_2048');
    const privateKey = privateKeyOf('RSA_2048', pair.privateKey);
    const publicKey = publicKeyOf('RSA_2048', pair.publicKey);
    for (const { tcId, comment, key, msg, ct, result } of wycheproof.keyWrap.aes_kwp.tests) {
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      const wrapped = Buffer.concat([
        publicEncrypt({ key: publicKey, padding, oaepHash: 'sha256' }, hex(key)),
        hex(ct),
      ]);
      const open = () => unwrapImported('RSA_AES_KEY_WRAP_SHA_256', wrapped, privateKey).toString('hex');
      if (result === 'valid') expect(open(), `${String(tcId)} ${comment}`).toBe(msg);
      else expect(open, `${String(tcId)} ${comment}`).toThrow(InvalidCiphertext);
      expect(() => unwrapImported('RSA_AES_KEY_WRAP_SHA_1', wrapped, privateKey)).toThrow(InvalidCiphertext);
    }
  });
});

it.each(Object.entries(wycheproof.macs))('%s, Wycheproof', (_, { algorithm, tests }) => {
  for (const { tcId, comment, key, msg, tag, result } of tests) {
    const name = algorithm as MacAlgorithm;
    const secret = createSecretKey(hex(key));
    expect(verifyMac(name, secret, hex(msg), hex(tag)), `${String(tcId)} ${comment}`).toBe(result === 'valid');
    if (result === 'valid') expect(generateMac(name, secret, hex(msg)).toString('hex')).toBe(tag);
    expect(verifyMac(name, secret, hex(msg), hex(tag).subarray(0, -1))).toBe(false);
  }
});

it.each(Object.entries(wycheproof.ecdh))('%s, Wycheproof', (_, { spec, tests }) => {
  const name = spec as KeyPairSpec;
  const row = { ECC_NIST_P256: ['prime256v1', 32, 'P-256'], ECC_NIST_P384: ['secp384r1', 48, 'P-384'], ECC_NIST_P521: ['secp521r1', 66, 'P-521'] }[spec]; // prettier-ignore
  const [curve, size, crv] = row as [string, number, string];
  for (const { tcId, comment, public: spki, private: d, shared, result } of tests) {
    const ecdh = createECDH(curve);
    const scalar = hex(d.replace(/^00/, '').padStart(size * 2, '0'));
    ecdh.setPrivateKey(scalar);
    const point = ecdh.getPublicKey();
    const jwk = { kty: 'EC', crv, d: scalar.toString('base64url'), x: point.subarray(1, 1 + size).toString('base64url'), y: point.subarray(1 + size).toString('base64url') }; // prettier-ignore
    const privateKey = createPrivateKey({ key: jwk, format: 'jwk' });
    const derive = () => deriveSharedSecret(privateKey, publicKeyOf(name, hex(spki))).toString('hex');
    if (result === 'valid') expect(derive(), `${String(tcId)} ${comment}`).toBe(shared);
    else expect(derive, `${String(tcId)} ${comment}`).toThrow();
  }
});
