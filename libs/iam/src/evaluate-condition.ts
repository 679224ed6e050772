import type { CompiledCondition, CompiledValue } from './compile-policy.ts';
import type { Comparison, Operator } from './condition-operators.ts';
import {
  type IpRange,
  ipInRange,
  parseBinary,
  parseBool,
  parseDate,
  parseIpRange,
  parseNumber,
} from './condition-values.ts';
import { matchGlob, matchTokens } from './glob.ts';
import type { Effect } from './policy.ts';
import type { RequestValues } from './request.ts';
import { expandTemplate, expandTokens, type Template } from './template.ts';

/** `absent`: the request has no such key; `mismatch`: no value fits; `undecidable`: operator or value cannot be understood. */
export type ConditionFault = 'absent' | 'mismatch' | 'undecidable';

/** Null: a policy variable has no value. */
type Outcome = boolean | null;

const compare = (comparison: Comparison, value: number, bound: number): boolean => {
  switch (comparison) {
    case 'equals':
      return value === bound;
    case 'less':
      return value < bound;
    case 'less-equals':
      return value <= bound;
    case 'greater':
      return value > bound;
    case 'greater-equals':
      return value >= bound;
  }
};

const COLON = ':'.charCodeAt(0);
const ARN_PARTS = 6;

/** `arn`, partition, service, Region, account, and the rest. Null when there are fewer. */
const splitArn = <Text extends { length: number }>(
  text: Text,
  isColon: (text: Text, at: number) => boolean,
  slice: (text: Text, from: number, to: number) => Text,
): Text[] | null => {
  const parts: Text[] = [];
  let from = 0;
  for (let at = 0; at < text.length && parts.length < ARN_PARTS - 1; at += 1) {
    if (!isColon(text, at)) continue;
    parts.push(slice(text, from, at));
    from = at + 1;
  }
  return parts.length === ARN_PARTS - 1 ? [...parts, slice(text, from, text.length)] : null;
};

const isColonToken = (tokens: readonly number[], at: number): boolean => tokens[at] === COLON;
const sliceTokens = (tokens: readonly number[], from: number, to: number): readonly number[] => tokens.slice(from, to);
const isColonUnit = (text: string, at: number): boolean => text.charCodeAt(at) === COLON;
const sliceText = (text: string, from: number, to: number): string => text.slice(from, to);

/** Each of an ARN's six parts matches on its own, so that a `*` never reaches into the next; a lone `*` is every ARN. */
const matchArn = (template: Template, arn: string, values: RequestValues): Outcome => {
  if (template.fixed?.kind === 'everything') return true;
  const tokens = expandTokens(template, values.single);
  if (tokens === null) return null;
  const wanted = splitArn<readonly number[]>(tokens, isColonToken, sliceTokens);
  const given = splitArn(arn, isColonUnit, sliceText);
  if (wanted === null || given === null) return false;
  return wanted.every((part, index) => matchTokens(part, given[index] ?? ''));
};

const matchText = (template: Template, text: string, values: RequestValues): Outcome => {
  const glob = expandTemplate(template, values.single);
  return glob === null ? null : matchGlob(glob, text);
};

const matchIgnoringCase = (template: Template, text: string, values: RequestValues): Outcome => {
  const glob = expandTemplate(template, values.single);
  if (glob === null) return null;
  // Without wildcards a glob is exact text.
  return glob.kind === 'exact' && glob.text.toLowerCase() === text.toLowerCase();
};

const matchOrdered = (comparison: Comparison, value: number | null, bound: number): boolean =>
  value !== null && compare(comparison, value, bound);

const matchBool = (template: Template, text: string, values: RequestValues): Outcome => {
  const wanted = expandTemplate(template, values.single);
  if (wanted === null) return null;
  const bool = parseBool(text);
  return bool !== null && wanted.kind === 'exact' && parseBool(wanted.text) === bool;
};

const matchIp = (range: IpRange, text: string): boolean => {
  const address = parseIpRange(text);
  return address !== null && ipInRange(address, range);
};

/** Whether one value of the request fits one of the policy, before any negation. */
const fits = ({ type, comparison }: Operator, wanted: CompiledValue, text: string, values: RequestValues): Outcome => {
  switch (type) {
    case 'string':
    case 'string-like':
      return matchText(wanted as Template, text, values);
    case 'string-ignore-case':
      return matchIgnoringCase(wanted as Template, text, values);
    case 'arn':
      return matchArn(wanted as Template, text, values);
    case 'bool':
      return matchBool(wanted as Template, text, values);
    case 'numeric':
      return matchOrdered(comparison, parseNumber(text), wanted as number);
    case 'date':
      return matchOrdered(comparison, parseDate(text), wanted as number);
    case 'binary':
      return parseBinary(text) === wanted;
    case 'ip':
      return matchIp(wanted as IpRange, text);
    case 'null':
      return false;
  }
};

/** One value of the request against all of the policy: OR, or NOR when the operator is negated. */
const holdsFor = (
  { operator, values: wanted }: { operator: Operator; values: readonly CompiledValue[] },
  text: string,
  values: RequestValues,
  effect: Effect,
): boolean => {
  let unresolved = false;
  for (const value of wanted) {
    const outcome = fits(operator, value, text, values);
    if (outcome === true) return !operator.negated;
    unresolved ||= outcome === null;
  }
  // What an unresolved variable excludes is unknown: it must not help to allow.
  return operator.negated && (!unresolved || effect === 'Deny');
};

const holdsForAbsent = ({ set, ifExists, negated }: Operator): boolean =>
  ifExists || (set === null ? negated : set === 'all');

/**
 * Null when the condition holds. A key with several values under an operator for one is undefined in AWS's language: here
 * every value must fit for Allow, and one suffices for Deny.
 * @see IAM user guide, JSON policy elements: Condition operators
 */
export const conditionFault = (
  { operator, key, values: wanted }: CompiledCondition,
  values: RequestValues,
  effect: Effect,
): ConditionFault | null => {
  if (operator === null) return effect === 'Deny' ? null : 'undecidable';
  const given = values.of(key);
  if (operator.type === 'null') {
    const absent = given === undefined;
    return wanted.includes(absent) ? null : absent ? 'absent' : 'mismatch';
  }
  if (given === undefined) return holdsForAbsent(operator) ? null : 'absent';
  const test = { operator, values: wanted };
  const holds = (text: string): boolean => holdsFor(test, text, values, effect);
  const anySuffices = operator.set === 'any' || (operator.set === null && effect === 'Deny');
  return (anySuffices ? given.some(holds) : given.every(holds)) ? null : 'mismatch';
};
