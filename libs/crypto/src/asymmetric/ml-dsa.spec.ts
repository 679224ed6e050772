import { createHash, createPrivateKey, createPublicKey, randomBytes, sign as nodeSign, verify as nodeVerify } from 'node:crypto'; // prettier-ignore
import { describe, expect, it } from 'vitest';
import vectors from '../../test-vectors/ml-dsa.json' with { type: 'json' };
import { generateKeyPair, privateKeyOf, publicKeyBytes, publicKeyOf, sign, UnfitKey, UnfitMessage, verify } from '../index.ts'; // prettier-ignore
import { type MlDsaSpec, signMlDsa } from './ml-dsa.ts';

const algorithm = 'ML_DSA_SHAKE_256' as const;
const ARCS = { ML_DSA_44: '11', ML_DSA_65: '12', ML_DSA_87: '13' };
const SPECS = Object.keys(ARCS) as MlDsaSpec[];
const hex = (text: string) => Buffer.from(text, 'hex');
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

// RFC 9881's encodings, written out once more: what the code builds is held against them.
const word = (length: number) => length.toString(16).padStart(4, '0');
const spki = (spec: string, publicKey: Buffer) => {
  const identifier = `300b06096086480165030403${ARCS[spec as MlDsaSpec]}`;
  const [outer, inner] = [word(publicKey.length + 18), word(publicKey.length + 1)];
  return Buffer.concat([hex(`3082${outer}${identifier}0382${inner}00`), publicKey]);
};
const pkcs8 = (spec: string, seed: string) =>
  hex(`3034020100300b06096086480165030403${ARCS[spec as MlDsaSpec]}04228020${seed}`);
const SPKI_HEADER_BYTES = 22;
const rawPublicKey = (spkiBytes: Buffer) => spkiBytes.subarray(SPKI_HEADER_BYTES);
const privateKeyFrom = (spec: string, seed: string) => privateKeyOf(spec as MlDsaSpec, pkcs8(spec, seed));

describe('published figures', () => {
  it.each(vectors.keyGen)('keys of $spec, ACVP', ({ spec, tests }) => {
    for (const { tcId, seed, publicKeySha256 } of tests) {
      const made = publicKeyBytes(privateKeyFrom(spec, seed));
      expect(sha256(rawPublicKey(made)), String(tcId)).toBe(publicKeySha256);
      expect(made.equals(spki(spec, rawPublicKey(made)))).toBe(true);
    }
  });

  it.each(vectors.made)('signatures of $spec, Wycheproof', ({ spec, keys }) => {
    for (const { seed, publicKeySha256, tests } of keys) {
      const privateKey = privateKeyFrom(spec, seed);
      const publicKey = publicKeyBytes(privateKey);
      expect(sha256(rawPublicKey(publicKey))).toBe(publicKeySha256);
      for (const { tcId, message, mu, signatureSha256 } of tests) {
        const signature = signMlDsa(hex(mu), true, privateKey, false);
        expect(sha256(signature), String(tcId)).toBe(signatureSha256);
        expect(signMlDsa(hex(message), false, privateKey, false).equals(signature), String(tcId)).toBe(true);
        const key = publicKeyOf(spec as MlDsaSpec, publicKey);
        const [raw, external] = [
          { algorithm, messageType: 'RAW', message: hex(message) },
          { algorithm, messageType: 'EXTERNAL_MU', message: hex(mu) },
        ] as const;
        for (const request of [raw, external]) expect(verify(request, signature, key), String(tcId)).toBe(true);
        for (const at of [0, 31, 32, signature.length >> 1, signature.length - 1]) {
          const forged = Buffer.from(signature);
          forged[at]! ^= 1;
          for (const request of [raw, external]) expect(verify(request, forged, key), String(at)).toBe(false);
        }
      }
    }
  });
});

/** Node has ML-DSA from 24.7 on. An OpenSSL of 3.5 under an older one reads such keys, without a type and without a use. */
const nodeHas = (spec: MlDsaSpec): boolean => {
  try {
    const key = createPrivateKey({ key: pkcs8(spec, '00'.repeat(32)), format: 'der', type: 'pkcs8' });
    return key.asymmetricKeyType !== undefined;
  } catch {
    return false;
  }
};

describe.each(SPECS)('%s', (spec) => {
  it('is hedged, and takes messages and 64 bytes of µ only', async () => {
    const pair = await generateKeyPair(spec);
    const [privateKey, publicKey] = [privateKeyOf(spec, pair.privateKey), publicKeyOf(spec, pair.publicKey)];
    expect(publicKeyBytes(privateKey).equals(pair.publicKey)).toBe(true);
    for (const messageType of ['RAW', 'EXTERNAL_MU'] as const) {
      const request = { algorithm, messageType, message: randomBytes(64) };
      const [one, two] = [sign(request, privateKey), sign(request, privateKey)];
      expect(one.equals(two)).toBe(false);
      for (const signature of [one, two]) expect(verify(request, signature, publicKey)).toBe(true);
      expect(verify({ ...request, messageType: messageType === 'RAW' ? 'EXTERNAL_MU' : 'RAW' }, one, publicKey)).toBe(false); // prettier-ignore
      expect(verify(request, one.subarray(1), publicKey)).toBe(false);
      expect(verify(request, Buffer.alloc(0), publicKey)).toBe(false);
    }
    for (const [messageType, length] of [['DIGEST', 64], ['EXTERNAL_MU', 63], ['EXTERNAL_MU', 65]] as const) {
      expect(() => sign({ algorithm, messageType, message: randomBytes(length) }, privateKey)).toThrow(UnfitMessage);
    } // prettier-ignore
  });

  it('takes no key that is another spec’s, cut, longer or changed in a byte', async () => {
    const pair = await generateKeyPair(spec);
    const others = SPECS.filter((other) => other !== spec);
    for (const other of others) {
      expect(() => privateKeyOf(other, pair.privateKey)).toThrow(UnfitKey);
      expect(() => publicKeyOf(other, pair.publicKey)).toThrow(UnfitKey);
    }
    for (const [of, bytes, header] of [
      [privateKeyOf, pair.privateKey, 22],
      [publicKeyOf, pair.publicKey, 22],
    ] as const) {
      for (const bad of [
        Buffer.alloc(0),
        bytes.subarray(1),
        bytes.subarray(0, -1),
        Buffer.concat([bytes, bytes.subarray(0, 1)]),
      ]) {
        // prettier-ignore
        expect(() => of(spec, bad)).toThrow(UnfitKey);
      }
      for (let at = 0; at < header; at++) {
        const changed = Buffer.from(bytes);
        changed[at]! ^= 1;
        expect(() => of(spec, changed), String(at)).toThrow(UnfitKey);
      }
    }
  });

  const note = nodeHas(spec) ? '' : ` (not run: the node:crypto of ${process.version} has no ${spec})`;
  it.runIf(nodeHas(spec))(`is node:crypto's own${note}`, async () => {
    const pair = await generateKeyPair(spec);
    const theirs = createPrivateKey({ key: pair.privateKey, format: 'der', type: 'pkcs8' });
    const theirPublic = createPublicKey({ key: pair.publicKey, format: 'der', type: 'spki' });
    expect(createPublicKey(theirs).equals(theirPublic)).toBe(true);
    const both = theirs.export({ format: 'der', type: 'pkcs8' });
    const [ours, ourPublic] = [privateKeyOf(spec, both), publicKeyOf(spec, pair.publicKey)];
    const request = { algorithm, messageType: 'RAW', message: randomBytes(100) } as const;
    expect(nodeVerify(null, request.message, theirPublic, sign(request, ours))).toBe(true);
    expect(verify(request, nodeSign(null, request.message, theirs), ourPublic)).toBe(true);
    const other = { ...request, message: randomBytes(100) };
    expect(verify(other, nodeSign(null, request.message, theirs), ourPublic)).toBe(false);
    both[both.length - 1]! ^= 1;
    expect(() => privateKeyOf(spec, both)).toThrow(UnfitKey);
  });
});
