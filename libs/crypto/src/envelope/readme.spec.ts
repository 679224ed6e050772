import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { decryptEnvelope, encryptEnvelope, envelopeKeyName, InvalidCiphertext } from '../index.ts';

it("the README's example", () => {
  const [keyId, materialId, material] = ['1234abcd-12ab-34cd-56ef-1234567890ab', 'ab'.repeat(32), randomBytes(32)];
  const [plaintext, volumeId] = [Buffer.from('a data key'), 'vol-0123456789abcdef0'];

  const key = { keyId, materialId, material };
  const blob = encryptEnvelope(key, plaintext, { 'aws:ebs:id': volumeId });
  expect(envelopeKeyName(blob)).toEqual({ keyId, materialId });
  expect(decryptEnvelope(key, blob, { 'aws:ebs:id': volumeId })).toEqual(plaintext);
  expect(() => decryptEnvelope(key, blob, {})).toThrow(InvalidCiphertext);
});
