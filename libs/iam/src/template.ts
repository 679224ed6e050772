import { ANY_ONE, ANY_RUN, type Glob, globOf } from './glob.ts';

// Text in a policy that may hold wildcards and policy variables: `arn:aws:ec2:*:*:volume/${aws:PrincipalTag/volume, 'none'}`.

interface Variable {
  /** Lower case: condition keys do not distinguish case. */
  readonly key: string;
  readonly fallback: string | null;
}
type Part = number | Variable;

/** What a variable stands for in this request; undefined when its key is absent or has several values. */
export type VariableValue = (key: string) => string | undefined;

export interface Template {
  /** As the policy has it. */
  readonly source: string;
  /** Set when nothing depends on the request. */
  readonly fixed: Glob | null;
  readonly parts: readonly Part[];
}

export interface TemplateSyntax {
  /** Policy version 2012-10-17, in Resource, NotResource and the values of conditions. */
  readonly variables: boolean;
  /** `*` and `?`; else they stand for themselves. */
  readonly wildcards: boolean;
}

/** `${*}`, `${?}` and `${$}` are the characters themselves. */
const ESCAPES: ReadonlySet<string> = new Set(['*', '?', '$']);

/** `aws:username`, or `aws:username, 'nobody'`; null when it is neither, so that the text stands for itself. */
const parseVariable = (inner: string): Variable | null => {
  const comma = inner.indexOf(',');
  const key = (comma === -1 ? inner : inner.slice(0, comma)).trim().toLowerCase();
  if (key === '') return null;
  if (comma === -1) return { key, fallback: null };
  const fallback = inner.slice(comma + 1).trim();
  const quoted = fallback.length >= 2 && fallback.startsWith("'") && fallback.endsWith("'");
  return quoted ? { key, fallback: fallback.slice(1, -1) } : null;
};

const parseParts = (source: string, { variables, wildcards }: TemplateSyntax): Part[] => {
  const parts: Part[] = [];
  // Once no brace closes any more, none does further on: looking again would make many `${` quadratic.
  let open = variables;
  for (let at = 0; at < source.length; at += 1) {
    if (open && source.startsWith('${', at)) {
      const end = source.indexOf('}', at + 2);
      open = end !== -1;
      const inner = open ? source.slice(at + 2, end) : '';
      const part = ESCAPES.has(inner) ? inner.charCodeAt(0) : parseVariable(inner);
      if (part !== null) {
        parts.push(part);
        at = end;
        continue;
      }
    }
    const unit = source.charAt(at);
    if (wildcards && unit === '*') parts.push(ANY_RUN);
    else if (wildcards && unit === '?') parts.push(ANY_ONE);
    else parts.push(source.charCodeAt(at));
  }
  return parts;
};

const isToken = (part: Part): part is number => typeof part === 'number';

export const parseTemplate = (source: string, syntax: TemplateSyntax): Template => {
  const parts = parseParts(source, syntax);
  return { source, parts, fixed: parts.every(isToken) ? globOf(parts) : null };
};

/** Null when a variable has neither value nor default. A value's own `*` and `?` are no wildcards. */
export const expandTokens = ({ parts }: Template, valueOf: VariableValue): number[] | null => {
  const tokens: number[] = [];
  for (const part of parts) {
    if (isToken(part)) {
      tokens.push(part);
      continue;
    }
    const value = valueOf(part.key) ?? part.fallback;
    if (value === null) return null;
    for (let at = 0; at < value.length; at += 1) tokens.push(value.charCodeAt(at));
  }
  return tokens;
};

/** @returns null when a variable of it cannot be resolved: such text matches nothing. */
export const expandTemplate = (template: Template, valueOf: VariableValue): Glob | null => {
  if (template.fixed !== null) return template.fixed;
  const tokens = expandTokens(template, valueOf);
  return tokens === null ? null : globOf(tokens);
};
