import { describe, expect, it } from 'vitest';
import { type CopiedSnapshot, imageCopyEncryption } from './image-copy-encryption.ts';

const SOURCE_KEY = 'arn:aws:kms:eu-central-1:111122223333:key/source';
const K = 'alias/mine';
const DEFAULT = 'alias/aws/ebs';

const PLAIN: CopiedSnapshot = { owned: true, keyArn: null };
const PLAIN_SHARED: CopiedSnapshot = { owned: false, keyArn: null };
const OWN: CopiedSnapshot = { owned: true, keyArn: SOURCE_KEY };
const SHARED: CopiedSnapshot = { owned: false, keyArn: SOURCE_KEY };

type Row = [
  Encrypted: boolean | undefined,
  KmsKeyId: string | undefined,
  plain: string | null,
  plainShared: string | null,
  own: string,
  shared: string,
];

const outcomes = (encrypted: boolean | undefined, kmsKeyId: string | undefined, byDefault: boolean, crossRegion: boolean) =>
  [PLAIN, PLAIN_SHARED, OWN, SHARED].map((source) =>
    imageCopyEncryption(
      { encrypted, kmsKeyId, crossRegion },
      { encryptionByDefault: byDefault, defaultKmsKeyId: null },
      source,
    ),
  ); // prettier-ignore

describe('CopyImage, within a Region', () => {
  it.each<Row>([
    [undefined, undefined, null, null, SOURCE_KEY, DEFAULT],
    [false, undefined, null, null, SOURCE_KEY, DEFAULT],
    [true, undefined, DEFAULT, DEFAULT, SOURCE_KEY, DEFAULT],
    [true, K, K, K, K, K],
  ])('Encrypted %s, KmsKeyId %s', (encrypted, kmsKeyId, ...expected) => {
    expect(outcomes(encrypted, kmsKeyId, false, false)).toEqual(expected);
  });

  it.each<Row>([
    [undefined, undefined, DEFAULT, DEFAULT, SOURCE_KEY, DEFAULT],
    [false, undefined, DEFAULT, DEFAULT, SOURCE_KEY, DEFAULT],
    [true, undefined, DEFAULT, DEFAULT, SOURCE_KEY, DEFAULT],
    [true, K, K, K, K, K],
  ])('under encryption by default: Encrypted %s, KmsKeyId %s', (encrypted, kmsKeyId, ...expected) => {
    expect(outcomes(encrypted, kmsKeyId, true, false)).toEqual(expected);
  });
});

describe('CopyImage, across Regions', () => {
  it.each<Row>([
    [undefined, undefined, null, null, DEFAULT, DEFAULT],
    [true, undefined, DEFAULT, DEFAULT, DEFAULT, DEFAULT],
    [true, K, K, K, K, K],
  ])('Encrypted %s, KmsKeyId %s', (encrypted, kmsKeyId, ...expected) => {
    expect(outcomes(encrypted, kmsKeyId, false, true)).toEqual(expected);
  });
});

describe('CopyImage', () => {
  it.each([undefined, false])('refuses a key with Encrypted %s', (encrypted) => {
    for (const byDefault of [false, true])
      expect(() => outcomes(encrypted, K, byDefault, false)).toThrow(
        expect.objectContaining({ code: 'KmsKeyIdWithoutEncrypted' }),
      );
  });

  it('takes the account’s default key where it has chosen one', () => {
    const defaults = { encryptionByDefault: false, defaultKmsKeyId: 'alias/chosen' };
    expect(imageCopyEncryption({ crossRegion: false }, defaults, SHARED)).toBe('alias/chosen');
    expect(imageCopyEncryption({ crossRegion: false }, defaults, OWN)).toBe(SOURCE_KEY);
    expect(imageCopyEncryption({ crossRegion: true }, defaults, OWN)).toBe('alias/chosen');
  });
});
