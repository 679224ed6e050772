import { parseBinary, parseBool, parseDate, parseIpRange, parseNumber } from './condition-values.ts';

export type OperatorType =
  'string' | 'string-ignore-case' | 'string-like' | 'arn' | 'numeric' | 'date' | 'bool' | 'binary' | 'ip' | 'null';
export type Comparison = 'equals' | 'less' | 'less-equals' | 'greater' | 'greater-equals';

interface BaseOperator {
  readonly type: OperatorType;
  readonly negated: boolean;
  readonly comparison: Comparison;
}

export interface Operator extends BaseOperator {
  /** ForAllValues / ForAnyValue; null: the key has one value. */
  readonly set: 'all' | 'any' | null;
  readonly ifExists: boolean;
}

const positive = (type: OperatorType, comparison: Comparison = 'equals'): BaseOperator => ({
  type,
  comparison,
  negated: false,
});
const negated = (type: OperatorType): BaseOperator => ({ type, comparison: 'equals', negated: true });

const ordered = (name: 'Numeric' | 'Date', type: 'numeric' | 'date'): [string, BaseOperator][] => [
  [`${name}Equals`, positive(type)],
  [`${name}NotEquals`, negated(type)],
  [`${name}LessThan`, positive(type, 'less')],
  [`${name}LessThanEquals`, positive(type, 'less-equals')],
  [`${name}GreaterThan`, positive(type, 'greater')],
  [`${name}GreaterThanEquals`, positive(type, 'greater-equals')],
];

/** @see IAM user guide, JSON policy elements: Condition operators */
const OPERATORS: ReadonlyMap<string, BaseOperator> = new Map([
  ['StringEquals', positive('string')],
  ['StringNotEquals', negated('string')],
  ['StringEqualsIgnoreCase', positive('string-ignore-case')],
  ['StringNotEqualsIgnoreCase', negated('string-ignore-case')],
  ['StringLike', positive('string-like')],
  ['StringNotLike', negated('string-like')],
  ...ordered('Numeric', 'numeric'),
  ...ordered('Date', 'date'),
  ['Bool', positive('bool')],
  ['BinaryEquals', positive('binary')],
  ['IpAddress', positive('ip')],
  ['NotIpAddress', negated('ip')],
  ['ArnEquals', positive('arn')],
  ['ArnLike', positive('arn')],
  ['ArnNotEquals', negated('arn')],
  ['ArnNotLike', negated('arn')],
  ['Null', positive('null')],
]);

export const BASE_OPERATORS: readonly string[] = [...OPERATORS.keys()];

const IF_EXISTS = 'IfExists';
const SET_PREFIXES = [
  ['ForAllValues:', 'all'],
  ['ForAnyValue:', 'any'],
] as const;

/** Null when there is no such operator. Null takes neither a set prefix nor IfExists: it asks for existence itself. */
export const parseOperator = (name: string): Operator | null => {
  const prefix = SET_PREFIXES.find(([text]) => name.startsWith(text));
  const unprefixed = prefix === undefined ? name : name.slice(prefix[0].length);
  const ifExists = unprefixed.endsWith(IF_EXISTS);
  const base = OPERATORS.get(ifExists ? unprefixed.slice(0, -IF_EXISTS.length) : unprefixed);
  if (base === undefined) return null;
  const set = prefix?.[1] ?? null;
  return base.type === 'null' && (ifExists || set !== null) ? null : { ...base, set, ifExists };
};

/** Types whose values in a policy may be policy variables. */
export const takesVariables = (type: OperatorType): boolean =>
  type === 'string' || type === 'string-ignore-case' || type === 'string-like' || type === 'arn' || type === 'bool';

/** Whether a policy may hold this value under an operator of this type. */
export const isValueOf = (type: OperatorType, text: string): boolean => {
  switch (type) {
    case 'numeric':
      return parseNumber(text) !== null;
    case 'date':
      return parseDate(text) !== null;
    case 'bool':
      return parseBool(text) !== null || text.includes('${');
    case 'null':
      return parseBool(text) !== null;
    case 'binary':
      return parseBinary(text) !== null;
    case 'ip':
      return parseIpRange(text) !== null;
    default:
      return true;
  }
};
