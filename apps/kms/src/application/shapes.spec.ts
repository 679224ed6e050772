import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { aliasName, encryptionContext, keyId, limit, parseInput, principalArn, tag } from './shapes.ts';

const shape = z.strictObject({
  KeyId: keyId,
  Limit: limit,
  AliasName: aliasName.optional(),
  Tags: z.array(tag).optional(),
  GranteePrincipal: principalArn.optional(),
  EncryptionContext: encryptionContext,
  KeySpec: z.enum(['AES_256', 'AES_128']).optional(),
});
const refusal = (input: unknown) => {
  try {
    parseInput(shape, input);
  } catch (error) {
    return error;
  }
  return undefined;
};
const invalid = (message: string) => expect.objectContaining({ code: 'Invalid', details: { message } });
const one = (text: string) => invalid(`1 validation error detected: ${text}`);
const failed = 'failed to satisfy constraint: Member must';

describe('the shape of a request', () => {
  it.each([
    [{}, `Value null at 'keyId' ${failed} not be null`],
    [{ KeyId: null }, `Value null at 'keyId' ${failed} not be null`],
    [{ KeyId: '' }, `Value '' at 'keyId' ${failed} have length greater than or equal to 1`],
    [{ KeyId: 'k', Limit: 0 }, `Value '0' at 'limit' ${failed} have value greater than or equal to 1`],
    [{ KeyId: 'k', Limit: 1001 }, `Value '1001' at 'limit' ${failed} have value less than or equal to 1000`],
    [{ KeyId: 'k', KeySpec: 'x' }, `Value 'x' at 'keySpec' ${failed} satisfy enum value set: [AES_256, AES_128]`],
    [{ KeyId: 'k', Tags: [{ TagKey: 'a', TagValue: '' }, { TagKey: '', TagValue: '' }] }, `Value '' at 'tags.2.member.tagKey' ${failed} have length greater than or equal to 1`], // prettier-ignore
    [{ KeyId: 'k', GranteePrincipal: 'a b' }, `Value 'a b' at 'granteePrincipal' ${failed} satisfy regular expression pattern: ^[\\w+=,.@:/-]+$`], // prettier-ignore
  ])('%j is refused in the words of AWS', (input, text) => {
    expect(refusal(input)).toEqual(one(text));
  });

  it('shows all that is wrong at once', () => {
    const texts = `Value '' at 'keyId' ${failed} have length greater than or equal to 1; Value '0' at 'limit' ${failed} have value greater than or equal to 1`;
    expect(refusal({ KeyId: '', Limit: 0 })).toEqual(invalid(`2 validation errors detected: ${texts}`));
  });

  it('has no member that is not named in it', () => {
    expect(refusal({ KeyId: 'k', Recipient: {} })).toMatchObject({ code: 'NotSupported', details: { message: 'The parameter Recipient is not supported.' } }); // prettier-ignore
    expect(refusal({ KeyId: 'k', Recipient: null })).toBeUndefined();
  });

  it.each([undefined, null, 'text', 7, []])('is not %j', (input) => {
    expect(refusal(input)).toMatchObject({ code: 'Invalid' });
  });
});

describe('an encryption context', () => {
  const parse = (EncryptionContext: unknown) => parseInput(shape, { KeyId: 'k', EncryptionContext }).EncryptionContext;

  it('comes through as it is, with every name that a pair can have', () => {
    const odd = JSON.parse('{"__proto__":"x","constructor":"y","":""}') as Record<string, string>;
    const parsed = parse(odd);
    expect(Object.entries(parsed ?? {})).toEqual([['__proto__', 'x'], ['constructor', 'y'], ['', '']]); // prettier-ignore
  });

  it.each([
    [{ a: 1 }, 'Invalid'],
    [['a'], 'Invalid'],
    ['a', 'Invalid'],
    [{ a: 'b\0' }, 'Invalid'],
    [{ 'a\ud800': 'b' }, 'Invalid'],
    [{ a: '\udc00b' }, 'Invalid'],
    [{ a: 'x'.repeat(8192) }, 'Invalid'],
  ])('is not %j', (context, code) => {
    expect(() => parse(context)).toThrow(expect.objectContaining({ code }));
  });

  it('may be as long as 8 KiB, and hold any character', () => {
    expect(parse({ a: 'x'.repeat(8191) })).toBeDefined();
    expect(parse({ '\u{1f511}': 'é\n\t' })).toBeDefined();
  });
});
