import { describe, expect, it } from 'vitest';
import { parametersHash } from './client-token.ts';
import { cutPage, pageSize, PageTokens } from './paging.ts';
import { parseCreateTags, parseDeleteTags, removedKeys, tagsOfSpecifications, withoutTags, withTags } from './tags.ts';

const refusal = (code: string, message?: string) =>
  expect.objectContaining(message === undefined ? { code } : { code, message }) as Error;
const scope = { accountId: '111122223333', region: 'eu-central-1', action: 'DescribeVolumes' };

describe('page tokens', () => {
  const key = Buffer.alloc(32, 7).toString('base64');
  const tokens = new PageTokens(key);
  it('come back as they were given, on every replica', () =>
    expect(new PageTokens(key).read(scope, tokens.issue(scope, '42'))).toBe('42'));
  it('are of no use to another account, Region or action', () => {
    const token = tokens.issue(scope, '42');
    for (const other of [{ accountId: '222233334444' }, { region: 'us-east-1' }, { action: 'DescribeSnapshots' }])
      expect(() => tokens.read({ ...scope, ...other }, token)).toThrow(refusal('InvalidParameterValue'));
  });
  it('are refused when altered, cut or made up', () => {
    const token = Buffer.from(tokens.issue(scope, '42'), 'base64');
    const texts = Array.from(token, (_, i) => token.subarray(0, i).toString('base64'));
    token[14] = (token[14] ?? 0) ^ 1;
    for (const text of [...texts, token.toString('base64'), 'x', 'A'.repeat(5000)])
      expect(() => tokens.read(scope, text)).toThrow(
        refusal('InvalidParameterValue', 'Unable to parse pagination token'),
      );
  });
});

describe('page sizes', () => {
  const rules = { maximum: 500, ids: [], idsParameter: 'volumeIdsSet' };
  it('are 1,000 unless asked, and never above the maximum', () => {
    expect(pageSize({}, rules)).toBe(1000);
    expect(pageSize({ MaxResults: 5 }, rules)).toBe(5);
    expect(pageSize({ MaxResults: 501 }, rules)).toBe(500);
  });
  it('below five are refused', () =>
    expect(() => pageSize({ MaxResults: 4 }, rules)).toThrow(
      refusal(
        'InvalidParameterValue',
        'Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5.',
      ),
    ));
  it.each([
    [{ MaxResults: 5 }, 'maxResults'],
    [{ NextToken: 'x' }, 'nextToken'],
  ])('do not go with ids: %o', (request, name) =>
    expect(() => pageSize(request, { ...rules, ids: ['vol-1'] })).toThrow(
      refusal('InvalidParameterCombination', `The parameter volumeIdsSet cannot be used with the parameter ${name}`),
    ),
  );
});

describe('a page', () => {
  const cut = (rows: string[], limit: number) => cutPage(rows, limit, (row) => row, (row) => row.slice(0, 4)); // prettier-ignore
  it('names the next one only when there is one', () => {
    expect(cut(['a', 'b'], 2)).toEqual({ items: ['a', 'b'], next: null });
    expect(cut(['a', 'b', 'c'], 2)).toEqual({ items: ['a', 'b'], next: 'b' });
    expect(cut([], 2)).toEqual({ items: [], next: null });
  });
  it('ends early rather than outgrow a message', () => {
    const page = cut(
      Array.from({ length: 4 }, (_, i) => `row${String(i)}`.padEnd(300_000, '.')),
      10,
    );
    expect(page.items).toHaveLength(2);
    expect(page.next).toBe('row1');
  });
});

describe('tag specifications', () => {
  const of = (ResourceType: string, ...Tags: { Key?: string; Value?: string }[]) => [{ ResourceType, Tags }];
  it('give the tags of the resource', () =>
    expect(tagsOfSpecifications(of('volume', { Key: 'a', Value: '1' }, { Key: 'b' }), 'volume')).toEqual({
      a: '1',
      b: '',
    }));
  it('are checked', () => {
    const many = Array.from({ length: 51 }, (_, i) => ({ Key: `k${String(i)}`, Value: '' }));
    const cases: [ReturnType<typeof of>, string, string?][] = [
      [
        of('snapshot', { Key: 'a' }),
        'InvalidParameterValue',
        "'snapshot' is not a valid taggable resource type for this operation.",
      ],
      [of('volume'), 'InvalidParameterValue', 'Tag specification must have at least one tag'],
      [of('volume', { Key: 'a' }, { Key: 'a' }), 'InvalidParameterValue', "Duplicate tag key 'a' specified."],
      [of('volume', { Key: 'AWS:a' }), 'InvalidParameterValue'],
      [of('volume', { Key: '' }), 'InvalidParameterValue'],
      [of('volume', { Key: 'k'.repeat(128) }), 'InvalidParameterValue'],
      [of('volume', { Key: 'k', Value: 'v'.repeat(256) }), 'InvalidParameterValue'],
      [of('volume', ...many), 'TagLimitExceeded'],
    ];
    for (const [specification, code, message] of cases)
      expect(() => tagsOfSpecifications(specification, 'volume')).toThrow(refusal(code, message));
  });
  it('take a key of any name for a key', () => {
    const tags = tagsOfSpecifications(of('volume', { Key: '__proto__', Value: 'x' }), 'volume');
    expect(Object.keys(withTags({ a: '1' }, tags))).toEqual(['a', '__proto__']);
  });
});

describe('CreateTags and DeleteTags', () => {
  it('need resources and tags', () => {
    expect(() => parseCreateTags({ Tags: [{ Key: 'a' }] })).toThrow(refusal('MissingParameter'));
    expect(() => parseCreateTags({ Resources: ['vol-1'] })).toThrow(refusal('MissingParameter'));
    expect(() => parseDeleteTags({ Resources: [] })).toThrow(refusal('MissingParameter'));
  });
  const tags = { a: '1', b: '', 'aws:x': 'y' };
  const removed = (Tags?: { Key: string; Value?: string }[]) =>
    removedKeys(tags, parseDeleteTags({ Resources: ['vol-1'], Tags }).removal);
  it('take a key away with any value', () => expect(removed([{ Key: 'a' }])).toEqual(['a']));
  it('take a key away with that value only', () => {
    expect(removed([{ Key: 'a', Value: '' }])).toEqual([]);
    expect(removed([{ Key: 'b', Value: '' }])).toEqual(['b']);
  });
  it('take everything the user set away when no tag is named', () => expect(removed()).toEqual(['a', 'b']));
  it('leave the rest', () => expect(withoutTags(tags, ['a'])).toEqual({ b: '', 'aws:x': 'y' }));
});

describe('the digest of parameters', () => {
  it('does not depend on the order or on absent members', () => {
    expect(parametersHash({ a: 1, b: { c: [1, 2], d: 'x' } })).toBe(
      parametersHash({ b: { d: 'x', c: [1, 2], e: undefined }, a: 1 }),
    );
  });
  it('tells values, types and list order apart', () => {
    const hashes = [{ a: 1 }, { a: '1' }, { a: [1, 2] }, { a: [2, 1] }, { a: null }, {}, { b: 1 }].map(parametersHash);
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
