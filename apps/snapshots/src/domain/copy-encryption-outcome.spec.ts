import { describe, expect, it } from 'vitest';
import { copyEncryptionOutcome } from './copy-encryption-outcome.ts';

/** Encryption by default, source, Encrypted, KmsKeyId, result. Own and shared sources come to the same. */
type Row = [
  'off' | 'on',
  'unencrypted' | 'encrypted',
  boolean | undefined,
  'K' | undefined,
  'unencrypted' | 'Default' | 'K',
];

/** The guide's table; where it says `any` or `omitted/true`, each. */
const table: Row[] = [
  ['off', 'unencrypted', undefined, undefined, 'unencrypted'],
  ['off', 'unencrypted', true, undefined, 'Default'],
  ['off', 'unencrypted', true, 'K', 'K'],
  ['off', 'unencrypted', undefined, 'K', 'K'],
  ['off', 'encrypted', undefined, undefined, 'Default'],
  ['off', 'encrypted', true, undefined, 'Default'],
  ['off', 'encrypted', undefined, 'K', 'K'],
  ['off', 'encrypted', true, 'K', 'K'],
  ['on', 'unencrypted', undefined, undefined, 'Default'],
  ['on', 'unencrypted', true, undefined, 'Default'],
  ['on', 'encrypted', undefined, undefined, 'Default'],
  ['on', 'encrypted', true, undefined, 'Default'],
  ['on', 'unencrypted', undefined, 'K', 'K'],
  ['on', 'unencrypted', true, 'K', 'K'],
  ['on', 'encrypted', undefined, 'K', 'K'],
  ['on', 'encrypted', true, 'K', 'K'],
  // Encrypted=false never takes encryption away.
  ['off', 'encrypted', false, undefined, 'Default'],
  ['off', 'encrypted', false, 'K', 'K'],
  ['on', 'unencrypted', false, undefined, 'Default'],
  ['on', 'unencrypted', false, 'K', 'K'],
  ['on', 'encrypted', false, undefined, 'Default'],
  ['on', 'encrypted', false, 'K', 'K'],
  ['off', 'unencrypted', false, 'K', 'K'],
  ['off', 'unencrypted', false, undefined, 'unencrypted'],
];

describe('the encryption outcome of CopySnapshot', () => {
  it.each(table)('default=%s source=%s Encrypted=%s KmsKeyId=%s: %s', (ebd, source, encrypted, kmsKeyId, result) => {
    const outcome = copyEncryptionOutcome(
      { encrypted, kmsKeyId },
      { encryptionByDefault: ebd === 'on', defaultKmsKeyId: 'alias/configured' },
      { encrypted: source === 'encrypted' },
    );
    expect(outcome).toBe({ unencrypted: null, Default: 'alias/configured', K: 'K' }[result]);
  });

  it('covers every combination of its inputs', () => {
    expect(new Set(table.map((row) => JSON.stringify(row.slice(0, 4)))).size).toBe(2 * 2 * 3 * 2);
  });

  it('takes the AWS managed key while no default is set', () => {
    const defaults = { encryptionByDefault: true, defaultKmsKeyId: null };
    expect(copyEncryptionOutcome({}, defaults, { encrypted: false })).toBe('alias/aws/ebs');
  });
});
