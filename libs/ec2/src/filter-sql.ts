import { type Filter, isFilterOf, parseFilters, type Pattern } from './filters.ts';

/** Values of one SQL statement: `parameters.add(x)` gives the placeholder that stands for x. */
export class SqlParameters {
  readonly values: unknown[] = [];
  add(value: unknown): string {
    return `$${String(this.values.push(value))}`;
  }
}

/**
 * A filter as SQL. It is given `any`, which writes the comparison of a text expression with the filter's values, and says
 * where that expression comes from: `column('v.status')`, or a sub-select for what a resource has several of.
 */
export type SqlFilter = (any: (expression: string) => string) => string;

export const column =
  (expression: string): SqlFilter =>
  (any) =>
    any(expression);

/** Equality where it can be had, so that an index serves it; LIKE for the rest. */
const comparison = (patterns: readonly Pattern[], parameters: SqlParameters) => (expression: string) => {
  const exact = patterns.flatMap((pattern) => (pattern.exact === null ? [] : [pattern.exact]));
  const likes = patterns.filter((pattern) => pattern.exact === null).map((pattern) => pattern.like);
  const conditions: string[] = [];
  if (exact.length > 0) conditions.push(`${expression} = ANY(${parameters.add(exact)}::text[])`);
  if (likes.length > 0) conditions.push(`${expression} LIKE ANY(${parameters.add(likes)}::text[])`);
  return conditions.length === 0 ? 'FALSE' : `(${conditions.join(' OR ')})`;
};

/**
 * The filters as SQL conditions, to be joined with AND. Names, never values, become part of the text.
 * @param tags a jsonb expression of the resource's tags, key to value: serves `tag:<key>` and `tag-key`, `tag-value`.
 * @throws AwsError InvalidParameterValue (unknown filter) | FilterLimitExceeded
 */
export const filterConditions = (
  filters: readonly Filter[] | undefined,
  definitions: Readonly<Record<string, SqlFilter>>,
  tags: string,
  parameters: SqlParameters,
): string[] => {
  const all: Readonly<Record<string, SqlFilter>> = {
    'tag-key': (any) => `EXISTS (SELECT 1 FROM jsonb_object_keys(${tags}) AS tag_key WHERE ${any('tag_key')})`,
    'tag-value': (any) => `EXISTS (SELECT 1 FROM jsonb_each_text(${tags}) AS tag WHERE ${any('tag.value')})`,
    ...definitions,
  };
  return parseFilters(filters, isFilterOf(all)).map(({ name, patterns }) => {
    const any = comparison(patterns, parameters);
    const definition = Object.hasOwn(all, name) ? all[name] : undefined;
    return definition ? definition(any) : any(`(${tags} ->> ${parameters.add(name.slice('tag:'.length))}::text)`);
  });
};
