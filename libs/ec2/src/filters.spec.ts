import { describe, expect, it } from 'vitest';
import { column, filterConditions, SqlParameters } from './filter-sql.ts';
import { type Filter, parsePattern, recordFilter } from './filters.ts';

describe('a filter value', () => {
  const cases: [value: string, text: string, matches: boolean, like: string][] = [
    ['abc', 'abc', true, 'abc'],
    ['abc', 'abcd', false, 'abc'],
    ['ABC', 'abc', false, 'ABC'],
    ['a*', 'a', true, 'a%'],
    ['a*c', 'abbbc', true, 'a%c'],
    ['a*c', 'abbbd', false, 'a%c'],
    ['a**c', 'abc', true, 'a%c'],
    ['*b*', 'abc', true, '%b%'],
    ['a?c', 'abc', true, 'a_c'],
    ['a?c', 'ac', false, 'a_c'],
    ['?*', '', false, '_%'],
    ['*', '', true, '%'],
    ['', '', true, ''],
    [String.raw`a\*c`, 'a*c', true, 'a*c'],
    [String.raw`a\*c`, 'abc', false, 'a*c'],
    [String.raw`a\\c`, String.raw`a\c`, true, String.raw`a\\c`],
    ['a\\', 'a\\', true, String.raw`a\\`],
    ['100%_', '100%_', true, String.raw`100\%\_`],
    ['a.c', 'abc', false, 'a.c'],
    ['*ab*ab', 'abxabyab', true, '%ab%ab'],
  ];
  it.each(cases)('%s on %s: %s', (value, text, matches, like) => {
    const pattern = parsePattern(value);
    expect(pattern.matches(text)).toBe(matches);
    expect(pattern.like).toBe(like);
  });

  it('is no way to burn time', () => {
    const began = performance.now();
    expect(parsePattern('*a'.repeat(500)).matches('a'.repeat(2000) + 'b')).toBe(false);
    expect(performance.now() - began).toBeLessThan(1000);
  });
});

interface Zone {
  name: string;
  tags: Record<string, string>;
}
const zones: Zone[] = [
  { name: 'eu-central-1a', tags: { team: 'blue' } },
  { name: 'eu-central-1b', tags: {} },
];
const select = (...filters: Filter[]) =>
  zones
    .filter(recordFilter(filters, { 'zone-name': (zone: Zone) => [zone.name] }, (zone) => zone.tags))
    .map((z) => z.name);

describe('filters over records', () => {
  it('takes values as alternatives', () =>
    expect(select({ Name: 'zone-name', Values: ['x', '*b'] })).toEqual(['eu-central-1b']));
  it('wants every filter to match', () =>
    expect(select({ Name: 'zone-name', Values: ['*b'] }, { Name: 'tag:team', Values: ['blue'] })).toEqual([]));
  it('finds tags', () => expect(select({ Name: 'tag:team', Values: ['bl*'] })).toEqual(['eu-central-1a']));
  it('matches nothing without values', () => expect(select({ Name: 'zone-name', Values: [] })).toEqual([]));
  it('refuses unknown names, inherited ones included', () => {
    for (const Name of ['kms-key-id', 'constructor', 'Zone-Name', 'tag:'])
      expect(() => select({ Name, Values: ['x'] })).toThrow(
        expect.objectContaining({ code: 'InvalidParameterValue', message: `The filter '${Name}' is invalid` }),
      );
  });
  it('refuses more than 200 values', () =>
    expect(() => select({ Name: 'zone-name', Values: Array<string>(201).fill('x') })).toThrow(
      expect.objectContaining({ code: 'FilterLimitExceeded' }),
    ));
});

describe('filters as SQL', () => {
  it('puts values into parameters only', () => {
    const parameters = new SqlParameters();
    const conditions = filterConditions(
      [
        { Name: 'status', Values: ["a'", 'b*'] },
        { Name: "tag:x'; --", Values: ['1'] },
        { Name: 'tag-key', Values: ['team'] },
        { Name: 'status', Values: [] },
      ],
      { status: column('v.status') },
      'v.tags',
      parameters,
    );
    expect(conditions).toEqual([
      '(v.status = ANY($1::text[]) OR v.status LIKE ANY($2::text[]))',
      '((v.tags ->> $3::text) = ANY($4::text[]))',
      'EXISTS (SELECT 1 FROM jsonb_object_keys(v.tags) AS tag_key WHERE (tag_key = ANY($5::text[])))',
      'FALSE',
    ]);
    expect(parameters.values).toEqual([["a'"], ['b%'], "x'; --", ['1'], ['team']]);
  });
});
