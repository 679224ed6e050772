import { AwsError } from '@holdfast/contracts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkDocument, encodedDocument, tagsOf } from './support.ts';

const VALID = JSON.stringify({
  Version: '2012-10-17',
  Statement: [
    {
      ...{ Sid: 'a', Effect: 'Allow', Action: ['ec2:Describe*'], Resource: 'arn:aws:ec2:*:*:volume/*' },
      Condition: {
        StringLike: { 'aws:PrincipalTag/team': ['a*', '${aws:username}'] },
        Bool: { 'ec2:Encrypted': true },
      },
    },
  ],
});

const edit = fc.record({ at: fc.nat(VALID.length), what: fc.string({ maxLength: 6 }), length: fc.nat(12) });
const mutated = fc
  .array(edit, { minLength: 1, maxLength: 5 })
  .map((edits) =>
    edits.reduce((text, { at, what, length }) => text.slice(0, at) + what + text.slice(at + length), VALID),
  );

describe('a policy document', () => {
  it('is admitted or refused in words of the API, however it was damaged', () => {
    const seen = { admitted: 0, refused: 0 };
    fc.assert(
      fc.property(
        fc.oneof(
          mutated,
          fc.string(),
          fc.jsonValue().map((value) => JSON.stringify(value)),
        ),
        (text) => {
          try {
            checkDocument(text, 'identity');
            seen.admitted += 1;
          } catch (error) {
            expect(error).toBeInstanceOf(AwsError);
            expect((error as AwsError).code).toMatch(/^(MalformedPolicyDocument|LimitExceeded)$/);
            seen.refused += 1;
          }
        },
      ),
      { numRuns: 5000 },
    );
    expect(seen.refused).toBeGreaterThan(1000);
    expect(() => checkDocument(VALID, 'identity')).not.toThrow();
  });

  it('is answered percent-encoded, all but the unreserved characters of RFC 3986', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const encoded = encodedDocument(text);
        expect(encoded).toMatch(/^(?:[A-Za-z0-9._~-]|%[0-9A-F]{2})*$/);
        expect(decodeURIComponent(encoded)).toBe(text);
      }),
    );
  });
});

describe('tags', () => {
  it('may have any key but one that is taken or reserved', () => {
    const tag = (Key: string) => ({ Key, Value: 'v' });
    expect(Object.entries(tagsOf([tag('__proto__'), tag('constructor')]))).toHaveLength(2);
    expect(() => tagsOf([tag('a'), tag('A')])).toThrow('Duplicate tag keys found');
    expect(() => tagsOf([tag('AWS:x')])).toThrow('reserved');
  });
});
