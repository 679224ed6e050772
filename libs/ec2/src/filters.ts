import { AwsError } from '@holdfast/contracts';
import { invalidParameterValue } from './errors.ts';

/** EC2's Filter shape: values are alternatives, several filters must all match. */
export interface Filter {
  Name?: string;
  Values?: string[];
}

/** One filter value: text in which an unescaped `*` stands for any text and `?` for any one character. */
export interface Pattern {
  /** The value with its escapes taken away; null when it has wildcards. */
  readonly exact: string | null;
  /** The same as a LIKE pattern of SQL, whose escape is `\`. */
  readonly like: string;
  matches(text: string): boolean;
}

export interface ParsedFilter {
  readonly name: string;
  readonly patterns: readonly Pattern[];
}

/** EC2's quota: up to 200 values per request filter. */
const MAX_VALUES = 200;
/** Ours: far above what anybody writes, and keeps one request from becoming a query of megabytes. */
const MAX_FILTERS = 50;
const MAX_VALUE_LENGTH = 2048;

const ANY_TEXT = Symbol('*');
const ANY_CHARACTER = Symbol('?');
type Token = string | typeof ANY_TEXT | typeof ANY_CHARACTER;

/** `\` takes the meaning from the character after it; a run of `*` means what one means. */
const tokenize = (value: string): Token[] => {
  const tokens: Token[] = [];
  let escaped = false;
  for (const character of value) {
    if (!escaped && character === '\\') escaped = true;
    else {
      if (escaped || (character !== '*' && character !== '?')) tokens.push(character);
      else if (character === '?') tokens.push(ANY_CHARACTER);
      else if (tokens.at(-1) !== ANY_TEXT) tokens.push(ANY_TEXT);
      escaped = false;
    }
  }
  return escaped ? [...tokens, '\\'] : tokens;
};

/** Greedy, going back to the latest `*` only: quadratic at worst, where a regular expression could be exponential. */
const matchTokens = (tokens: readonly Token[], text: readonly string[]): boolean => {
  let token = 0;
  let position = 0;
  let star = -1;
  let starPosition = 0;
  while (position < text.length) {
    const current = tokens[token];
    if (current === ANY_TEXT) {
      star = token++;
      starPosition = position;
    } else if (current !== undefined && (current === ANY_CHARACTER || current === text[position])) {
      token++;
      position++;
    } else if (star >= 0) {
      token = star + 1;
      position = ++starPosition;
    } else return false;
  }
  return tokens.slice(token).every((rest) => rest === ANY_TEXT);
};

const likeOf = (token: Token) => {
  if (token === ANY_TEXT) return '%';
  if (token === ANY_CHARACTER) return '_';
  return /[%_\\]/.test(token) ? `\\${token}` : token;
};

/** @see Amazon EC2 user guide, "Filter your resources": wildcards and their escape. */
export const parsePattern = (value: string): Pattern => {
  const tokens = tokenize(value);
  const exact = tokens.every((token) => typeof token === 'string') ? tokens.join('') : null;
  return {
    exact,
    like: tokens.map(likeOf).join(''),
    matches: exact === null ? (text) => matchTokens(tokens, Array.from(text)) : (text) => text === exact,
  };
};

/**
 * Checks names and limits. `isKnown` decides on names; `tag:<key>` names are asked too.
 * @throws AwsError InvalidParameterValue | FilterLimitExceeded
 */
export const parseFilters = (
  filters: readonly Filter[] | undefined,
  isKnown: (name: string) => boolean,
): ParsedFilter[] => {
  if (filters !== undefined && filters.length > MAX_FILTERS)
    throw new AwsError({ code: 'FilterLimitExceeded', message: 'The maximum number of filters has been exceeded.' });
  return (filters ?? []).map(({ Name: name, Values: values = [] }) => {
    if (name === undefined || !isKnown(name)) throw invalidParameterValue(`The filter '${name ?? 'null'}' is invalid`);
    if (values.length > MAX_VALUES)
      throw new AwsError({
        code: 'FilterLimitExceeded',
        message: `The maximum number of filter values has been exceeded for filter '${name}'.`,
      });
    if (values.some((value) => value.length > MAX_VALUE_LENGTH))
      throw invalidParameterValue(`A value of the filter '${name}' is too long`);
    return { name, patterns: values.map(parsePattern) };
  });
};

/** Where a record in memory keeps what a filter looks at: every value it has under that name. */
export type RecordFilters<Entry> = Readonly<Record<string, (entry: Entry) => readonly (string | undefined)[]>>;

const TAG_PREFIX = 'tag:';

/** Whether `name` is one of `names`, or `tag:<key>`. */
export const isFilterOf = (names: Readonly<Record<string, unknown>>) => (name: string) =>
  Object.hasOwn(names, name) || (name.startsWith(TAG_PREFIX) && name.length > TAG_PREFIX.length);

/**
 * The filters as a predicate over records in memory. `tagsOf` serves `tag:<key>`.
 * @throws AwsError InvalidParameterValue | FilterLimitExceeded
 */
export const recordFilter = <Entry>(
  filters: readonly Filter[] | undefined,
  definitions: RecordFilters<Entry>,
  tagsOf?: (entry: Entry) => Readonly<Record<string, string>>,
): ((entry: Entry) => boolean) => {
  const isKnown = tagsOf ? isFilterOf(definitions) : (name: string) => Object.hasOwn(definitions, name);
  const tests = parseFilters(filters, isKnown).map(({ name, patterns }) => {
    const valuesOf = Object.hasOwn(definitions, name)
      ? definitions[name]
      : (entry: Entry) => [tagsOf?.(entry)[name.slice(TAG_PREFIX.length)]];
    return (entry: Entry) =>
      (valuesOf?.(entry) ?? []).some(
        (value) => value !== undefined && patterns.some((pattern) => pattern.matches(value)),
      );
  });
  return (entry) => tests.every((test) => test(entry));
};
