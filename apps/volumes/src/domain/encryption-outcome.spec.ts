import { DomainError } from '@holdfast/decider';
import { describe, expect, it } from 'vitest';
import { encryptionOutcome, type EncryptionSource } from './encryption-outcome.ts';

const SOURCE_KEY = 'arn:aws:kms:eu-central-1:111122223333:key/source';
const sources = {
  empty: null,
  'own unencrypted': { owned: true, keyArn: null },
  'own encrypted': { owned: true, keyArn: SOURCE_KEY },
  'shared unencrypted': { owned: false, keyArn: null },
  'shared encrypted': { owned: false, keyArn: SOURCE_KEY },
} satisfies Record<string, EncryptionSource>;
type Source = keyof typeof sources;
const everySource = Object.keys(sources) as Source[];

type Result = 'unencrypted' | 'same key' | 'Default' | 'K' | 'KmsKeyIdWithoutEncrypted' | 'EncryptionCannotBeRemoved';
/** Encrypted, KmsKeyId, encryption by default, source, result. */
type Row = [encrypted: boolean | undefined, key: 'K' | undefined, ebd: 'off' | 'on', source: Source, result: Result];

const both = ['off', 'on'] as const;
const of = <T>(list: readonly T[], row: (item: T) => Row[]) => list.flatMap(row);

/** The table of the guide, row by row; where one row of it speaks of several sources or of either setting, all of them. */
const table: Record<string, Row[]> = {
  1: [[undefined, undefined, 'off', 'empty', 'unencrypted']],
  2: [[undefined, undefined, 'off', 'own unencrypted', 'unencrypted']],
  3: [[undefined, undefined, 'off', 'own encrypted', 'same key']],
  4: [[undefined, undefined, 'off', 'shared unencrypted', 'unencrypted']],
  5: [[undefined, undefined, 'off', 'shared encrypted', 'Default']],
  6: [[true, undefined, 'off', 'empty', 'Default']],
  7: [[true, undefined, 'off', 'own unencrypted', 'Default']],
  8: [[true, undefined, 'off', 'own encrypted', 'same key']],
  9: [[true, undefined, 'off', 'shared unencrypted', 'Default']],
  10: [[true, undefined, 'off', 'shared encrypted', 'Default']],
  11: [[undefined, undefined, 'on', 'empty', 'Default']],
  12: [[undefined, undefined, 'on', 'own unencrypted', 'Default']],
  13: [[undefined, undefined, 'on', 'own encrypted', 'same key']],
  14: [[undefined, undefined, 'on', 'shared unencrypted', 'Default']],
  15: [[undefined, undefined, 'on', 'shared encrypted', 'Default']],
  16: [[true, undefined, 'on', 'empty', 'Default']],
  17: [[true, undefined, 'on', 'own unencrypted', 'Default']],
  18: [[true, undefined, 'on', 'own encrypted', 'same key']],
  19: [[true, undefined, 'on', 'shared unencrypted', 'Default']],
  20: [[true, undefined, 'on', 'shared encrypted', 'Default']],
  '21-30': of(both, (ebd) => of(everySource, (source) => [[true, 'K', ebd, source, 'K']])),
  31: of(both, (ebd) => of(everySource, (source) => [[undefined, 'K', ebd, source, 'KmsKeyIdWithoutEncrypted']])),
  32: of(both, (ebd) => of(everySource, (source) => [[false, 'K', ebd, source, 'KmsKeyIdWithoutEncrypted']])),
  33: of(['empty', 'own unencrypted', 'shared unencrypted'] as const, (source) => [[false, undefined, 'off', source, 'unencrypted']]),
  34: of(both, (ebd) => of(['own encrypted', 'shared encrypted'] as const, (source) => [[false, undefined, ebd, source, 'EncryptionCannotBeRemoved']])),
  35: of(['empty', 'own unencrypted', 'shared unencrypted'] as const, (source) => [[false, undefined, 'on', source, 'Default']]),
}; // prettier-ignore

const resultOf = ([encrypted, kmsKeyId, ebd, source]: Row, defaultKmsKeyId: string | null) => {
  try {
    return encryptionOutcome(
      { encrypted, kmsKeyId },
      { encryptionByDefault: ebd === 'on', defaultKmsKeyId },
      sources[source],
    );
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
};

describe('the encryption outcome of CreateVolume', () => {
  const rows = Object.entries(table).flatMap(([number, list]) => list.map((row) => [number, ...row] as const));
  it.each(rows)('row %s: Encrypted=%s KmsKeyId=%s default=%s source=%s: %s', (_number, ...row) => {
    const expected = {
      unencrypted: null,
      'same key': { kmsKeyId: SOURCE_KEY, chosenBy: 'source' },
      Default: { kmsKeyId: 'alias/configured', chosenBy: 'default' },
      K: { kmsKeyId: 'K', chosenBy: 'request' },
      KmsKeyIdWithoutEncrypted: 'KmsKeyIdWithoutEncrypted',
      EncryptionCannotBeRemoved: 'EncryptionCannotBeRemoved',
    }[row[4]];
    expect(resultOf(row, 'alias/configured')).toEqual(expected);
  });

  it('covers every combination of its inputs', () => {
    const combinations = new Set(Object.values(table).flat().map((row) => JSON.stringify(row.slice(0, 4)))); // prettier-ignore
    expect(combinations.size).toBe(3 * 2 * 2 * 5);
  });

  it('takes the AWS managed key while no default is set', () =>
    expect(resultOf([true, undefined, 'off', 'empty', 'Default'], null)).toEqual({
      kmsKeyId: 'alias/aws/ebs',
      chosenBy: 'default',
    }));
});
