import { describe, expect, it } from 'vitest';
import { directEncryption } from './ebs-direct-encryption.ts';

const K = 'arn:aws:kms:eu-central-1:111122223333:key/k';
const outcome = (
  encrypted: boolean | undefined,
  kmsKeyArn: string | undefined,
  encryptionByDefault: boolean,
  parent: { encrypted: boolean } | null,
) => {
  const found = directEncryption({ encrypted, kmsKeyArn }, { encryptionByDefault, defaultKmsKeyId: 'D' }, parent);
  return found.kind === 'key' ? found.keyId : found.kind;
};

describe('the encryption of a snapshot made of blocks', () => {
  it.each([
    [true, undefined, 'D', 'D'],
    [true, K, K, K],
    [false, undefined, 'none', 'refused'],
    [false, K, 'refused', 'refused'],
    [undefined, undefined, 'none', 'D'],
    [undefined, K, K, K],
  ])('without parent, Encrypted %s and key %s', (encrypted, key, off, on) => {
    expect([outcome(encrypted, key, false, null), outcome(encrypted, key, true, null)]).toEqual([off, on]);
  });

  it.each([
    [undefined, undefined, 'none', 'refused', 'parent'],
    [true, undefined, 'refused', 'refused', 'refused'],
    [false, undefined, 'refused', 'refused', 'refused'],
    [undefined, K, 'refused', 'refused', 'refused'],
    [true, K, 'refused', 'refused', 'refused'],
  ])('with a parent, Encrypted %s and key %s', (encrypted, key, plainOff, plainOn, underEncrypted) => {
    const [plain, secret] = [{ encrypted: false }, { encrypted: true }];
    expect([outcome(encrypted, key, false, plain), outcome(encrypted, key, true, plain)]).toEqual([plainOff, plainOn]);
    for (const byDefault of [false, true]) expect(outcome(encrypted, key, byDefault, secret)).toBe(underEncrypted);
  });

  it('falls back to the key that AWS manages', () => {
    const defaults = { encryptionByDefault: true, defaultKmsKeyId: null };
    expect(directEncryption({}, defaults, null)).toEqual({ kind: 'key', keyId: 'alias/aws/ebs' });
  });
});
