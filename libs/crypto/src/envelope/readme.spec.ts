import { createHash, createSecretKey, randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import {
  decryptEnvelope,
  encryptEnvelope,
  envelopeKeyName,
  generateKeyPair,
  InvalidCiphertext,
  privateKeyOf,
  publicKeyOf,
  sign,
  verify,
} from '../index.ts';

it("the README's example", () => {
  const [keyId, materialId] = ['1234abcd-12ab-34cd-56ef-1234567890ab', 'ab'.repeat(32)];
  const material = createSecretKey(randomBytes(32));
  const [plaintext, volumeId] = [Buffer.from('a data key'), 'vol-0123456789abcdef0'];

  const key = { keyId, materialId, material };
  const blob = encryptEnvelope(key, plaintext, { 'aws:ebs:id': volumeId });
  expect(envelopeKeyName(blob)).toEqual({ keyId, materialId });
  expect(decryptEnvelope(key, blob, { 'aws:ebs:id': volumeId })).toEqual(plaintext);
  expect(() => decryptEnvelope(key, blob, {})).toThrow(InvalidCiphertext);
});

it("the README's signature", async () => {
  const digest = createHash('sha256').update('a message').digest();
  const pair = await generateKeyPair('ECC_NIST_P256');
  const privateKey = privateKeyOf('ECC_NIST_P256', pair.privateKey);
  const request = { algorithm: 'ECDSA_SHA_256', messageType: 'DIGEST', message: digest } as const;
  const signature = sign(request, privateKey);
  expect(verify(request, signature, publicKeyOf('ECC_NIST_P256', pair.publicKey))).toBe(true);
});
