import { describe, expect, it } from 'vitest';
import { evaluate } from './evaluate.ts';
import { BASE_OPERATORS } from './condition-operators.ts';
import type { ContextValue } from './request.ts';
import { allow, deny, identity, question, stored } from './testing/fixtures.ts';

type Values = string | number | boolean | (string | number | boolean)[];

const asked = (context: Record<string, ContextValue>, statement: Record<string, unknown>[], lenient = false) =>
  evaluate(
    question({
      request: { action: 'ec2:CreateVolume', resource: '*', context },
      identityPolicies: [lenient ? stored('identity', ...statement) : identity(...statement)],
    }),
  );

/** Whether the condition holds, as an Allow sees it. */
const holds = (operator: string, wanted: Values, given?: ContextValue, key = 'test:key'): boolean =>
  asked(given === undefined ? {} : { [key]: given }, [allow({ Condition: { [operator]: { [key]: wanted } } })]).allowed;

/** … and as a Deny sees it. */
const denies = (operator: string, wanted: Values, given?: ContextValue): boolean =>
  asked(given === undefined ? {} : { 'test:key': given }, [
    allow(),
    deny({ Condition: { [operator]: { 'test:key': wanted } } }),
  ]).explicitDeny;

const KEY_ARN = 'arn:aws:kms:eu-central-1:111122223333:key/k';

// operator, values of the policy, values of the request that fit, values that do not.
const EXAMPLES: [string, Values, ContextValue[], ContextValue[]][] = [
  ['StringEquals', ['a', 'b*'], ['a', 'b*'], ['A', 'bc', '']],
  ['StringNotEquals', ['a', 'b'], ['c', 'A'], ['a', 'b']],
  ['StringEqualsIgnoreCase', 'Ab', ['ab', 'AB'], ['a', 'abc']],
  ['StringNotEqualsIgnoreCase', ['Ab', 'c'], ['d'], ['AB', 'C']],
  ['StringLike', ['a*z', '?'], ['az', 'abcz', 'x'], ['aZ', 'xy', '']],
  ['StringNotLike', ['a*', 'b'], ['c'], ['abc', 'b']],
  ['NumericEquals', [1, '2.0'], [1, '1.0', 2], [3, 'x', '']],
  ['NumericNotEquals', 1, [2, 'x'], [1, '1e0']],
  ['NumericLessThan', '10', [9, '9.99', -1], [10, 11, 'x']],
  ['NumericLessThanEquals', 10, [10, 9], [10.5]],
  ['NumericGreaterThan', 10, [11, '1e2'], [10, 'x']],
  ['NumericGreaterThanEquals', 10, [10, '10.0'], [9]],
  ['DateEquals', '2026-07-01T00:00:00Z', ['2026-07-01', '2026-07-01T02:00:00+02:00', 1782864000], ['2026-07-02', 'x']],
  ['DateNotEquals', '2026-07-01', ['2026-07-02', 'x'], ['2026-07-01T00:00Z']],
  ['DateLessThan', '2026-07-01T00:00:00', ['2026-06-30T23:59:59Z', 1], ['2026-07-01T00:00:00Z']],
  ['DateLessThanEquals', '1782864000', ['2026-07-01'], ['2026-07-01T00:00:01Z']],
  ['DateGreaterThan', '2026', ['2026-01-01T00:00:00.001Z'], ['2026-01-01', '2025-12']],
  ['DateGreaterThanEquals', '2026-07', ['2026-07-01'], ['2026-06-30']],
  ['Bool', true, [true, 'true', 'TRUE'], [false, 'false', 'yes', '1']],
  ['BinaryEquals', 'QmluYXJ5', ['QmluYXJ5'], ['QmluYXJ6', 'Binary']],
  ['IpAddress', ['203.0.113.0/24', '2001:db8::/32'], ['203.0.113.9', '::ffff:203.0.113.9', '2001:DB8:1::5'], ['203.0.114.1', '2001:db9::1', 'x', '203.0.113.0/24']],
  ['NotIpAddress', ['10.0.0.0/8', '::1'], ['11.0.0.1', '::2', 'x'], ['10.9.8.7', '::1', '0:0:0:0:0:0:0:1']],
  ['ArnEquals', 'arn:aws:kms:*:111122223333:key/*', [KEY_ARN], ['arn:aws:kms:eu-central-1:444455556666:key/k', 'k']],
  ['ArnLike', ['arn:aws:kms:eu-*-1:*:key/?', 'arn:aws:*'], [KEY_ARN], [`${KEY_ARN}k`, 'arn:aws:s3:::b']],
  ['ArnNotEquals', 'arn:aws:kms:*:*:key/k', ['arn:aws:kms:r:a:key/l', 'x'], [KEY_ARN]],
  ['ArnNotLike', 'arn:aws:kms:*:*:key/*', ['arn:aws:kms:r:a:alias/l'], [KEY_ARN]],
]; // prettier-ignore

describe.each(EXAMPLES)('%s %j', (operator, wanted, fitting, unfitting) => {
  const negated = operator.includes('Not');

  it('holds for what fits and not for the rest', () => {
    for (const given of fitting) expect([given, holds(operator, wanted, given)]).toEqual([given, true]);
    for (const given of unfitting) expect([given, holds(operator, wanted, given)]).toEqual([given, false]);
  });
  it('denies what fits and not the rest', () => {
    for (const given of fitting) expect([given, denies(operator, wanted, given)]).toEqual([given, true]);
    for (const given of unfitting) expect([given, denies(operator, wanted, given)]).toEqual([given, false]);
  });
  it('of an absent key holds only when negated, or IfExists', () => {
    expect(holds(operator, wanted)).toBe(negated);
    expect(holds(operator, wanted, [])).toBe(negated);
    expect(holds(`${operator}IfExists`, wanted)).toBe(true);
    expect(denies(operator, wanted)).toBe(negated);
  });
  it('IfExists of a present key is the operator itself', () => {
    for (const given of fitting) expect(holds(`${operator}IfExists`, wanted, given)).toBe(true);
    for (const given of unfitting) expect(holds(`${operator}IfExists`, wanted, given)).toBe(false);
  });
  it('ForAllValues wants every value to fit, and holds for none', () => {
    const all = `ForAllValues:${operator}`;
    const fit = fitting.map(String);
    expect(holds(all, wanted, fit)).toBe(true);
    expect(holds(all, wanted, [...fit, String(unfitting[0])])).toBe(false);
    expect(holds(all, wanted, [])).toBe(true);
    expect(holds(all, wanted)).toBe(true);
    expect(holds(`${all}IfExists`, wanted)).toBe(true);
  });
  it('ForAnyValue wants one value to fit, and fails for none', () => {
    const any = `ForAnyValue:${operator}`;
    expect(holds(any, wanted, [String(unfitting[0]), String(fitting[0])])).toBe(true);
    expect(holds(any, wanted, unfitting.map(String))).toBe(false);
    expect(holds(any, wanted, [])).toBe(false);
    expect(holds(any, wanted)).toBe(false);
    expect(holds(`${any}IfExists`, wanted)).toBe(true);
  });
  it('without a set prefix, several values must all fit to allow, and one suffices to deny', () => {
    const mixed = [String(fitting[0]), String(unfitting[0])];
    expect(holds(operator, wanted, mixed)).toBe(false);
    expect(denies(operator, wanted, mixed)).toBe(true);
  });
});

it('has an example of every operator', () => {
  expect([...EXAMPLES.map(([name]) => name), 'Null'].sort()).toEqual([...BASE_OPERATORS].sort());
});

describe('Null', () => {
  it.each<[Values, ContextValue | undefined, boolean]>([
    ['true', undefined, true],
    ['true', [], true],
    [true, 'x', false],
    ['true', '', false],
    ['false', 'x', true],
    [false, undefined, false],
    [['true', 'false'], 'x', true],
  ])('%j of %j: %s', (wanted, given, expected) => {
    expect(holds('Null', wanted, given)).toBe(expected);
  });
});

describe('conditions of a statement', () => {
  const both = { StringEquals: { 'test:a': 'x', 'test:b': 'y' }, Bool: { 'test:c': true } };
  it('must all hold', () => {
    const given = { 'test:a': 'x', 'test:b': 'y', 'test:c': 'true' };
    expect(asked(given, [allow({ Condition: both })]).allowed).toBe(true);
    for (const key of Object.keys(given))
      expect(asked({ ...given, [key]: 'no' }, [allow({ Condition: both })]).allowed).toBe(false);
  });
  it('name keys in any case', () => {
    expect(asked({ 'TEST:Key': 'x' }, [allow({ Condition: { StringEquals: { 'test:kEY': 'x' } } })]).allowed).toBe(
      true,
    );
  });
  it('that hold no value never allow, unless negated', () => {
    expect(holds('StringEquals', [], 'x')).toBe(false);
    expect(holds('StringNotEquals', [], 'x')).toBe(true);
  });
  it('of an empty object always hold', () => {
    expect(asked({}, [allow({ Condition: {} })]).allowed).toBe(true);
  });
});

describe('a stored condition that cannot be understood', () => {
  const cases: Record<string, unknown>[] = [{ StringLooksLike: { 'test:key': 'x' } }, { NumericEquals: { 'test:key': 'one' } }, { NullIfExists: { 'test:key': 'true' } }]; // prettier-ignore
  it.each(cases)('%j never helps to allow, and does not hold back a Deny', (condition) => {
    expect(asked({ 'test:key': 'x' }, [allow({ Condition: condition })], true).allowed).toBe(false);
    expect(asked({ 'test:key': 'x' }, [allow(), deny({ Condition: condition })], true).explicitDeny).toBe(true);
  });
  it('leaves the other conditions of a Deny in force', () => {
    const condition = { Odd: { 'test:key': 'x' }, StringEquals: { 'test:key': 'y' } };
    expect(asked({ 'test:key': 'x' }, [allow(), deny({ Condition: condition })], true).allowed).toBe(true);
  });
  it('is named in the trail', () => {
    const { trail } = asked({}, [allow({ Condition: { Odd: { 'test:key': 'x' } } })], true);
    expect(trail[0]).toMatchObject({ failed: { element: 'Condition', operator: 'Odd', fault: 'undecidable' } });
  });
});

describe('policy variables', () => {
  it('resolve in the values of conditions, and never help to allow when they do not', () => {
    expect(holds('StringEquals', '${aws:username}', 'bob')).toBe(true);
    expect(holds('StringLike', '${aws:username}-*', 'bob-1')).toBe(true);
    expect(holds('StringEqualsIgnoreCase', '${aws:username}', 'BOB')).toBe(true);
    expect(holds('ArnLike', 'arn:aws:s3:::${aws:username}/*', 'arn:aws:s3:::bob/x')).toBe(true);
    expect(holds('Bool', '${aws:ViaAWSService}', false)).toBe(true);
    expect(holds('StringEquals', '${aws:absent}', 'bob')).toBe(false);
    expect(holds('StringNotEquals', '${aws:absent}', 'bob')).toBe(false);
    expect(denies('StringNotEquals', '${aws:absent}', 'bob')).toBe(true);
    expect(holds('ArnNotLike', 'arn:aws:s3:::${aws:absent}', 'arn:aws:s3:::x')).toBe(false);
  });
  it('resolve in Resource and NotResource likewise', () => {
    const on = (element: Record<string, unknown>, effect: 'Allow' | 'Deny') =>
      evaluate(
        question({
          request: { action: 'ec2:X', resource: 'arn:aws:ec2:::bob' },
          identityPolicies: [
            identity(...(effect === 'Deny' ? [allow()] : []), { Effect: effect, Action: '*', ...element }),
          ],
        }),
      );
    expect(on({ Resource: 'arn:aws:ec2:::${aws:username}' }, 'Allow').allowed).toBe(true);
    expect(on({ Resource: 'arn:aws:ec2:::${aws:absent}' }, 'Allow').allowed).toBe(false);
    expect(on({ Resource: ['arn:aws:ec2:::${aws:absent}', '*'] }, 'Allow').allowed).toBe(true);
    expect(on({ NotResource: 'arn:aws:ec2:::${aws:username}' }, 'Allow').allowed).toBe(false);
    expect(on({ NotResource: 'arn:aws:ec2:::${aws:absent}' }, 'Allow').allowed).toBe(false);
    expect(on({ NotResource: 'arn:aws:ec2:::${aws:absent}' }, 'Deny').explicitDeny).toBe(true);
  });
});
