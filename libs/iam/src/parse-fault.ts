import { PolicyError, type PolicyKind } from './policy.ts';

/** What is being read: decides which elements a statement may have and how a fault is worded. */
export interface ParseScope {
  readonly kind: PolicyKind;
  /** Stored policies were checked when they were put: what their conditions hold then surfaces at evaluation. */
  readonly stored: boolean;
}

export const SYNTAX = 'Syntax errors in policy.';

/** @throws PolicyError */
export const malformed = (message: string, path: string, detail: string): never => {
  throw new PolicyError('Malformed', message, path, detail);
};

export const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One string, or a list of strings. @throws PolicyError */
export const stringList = (value: unknown, path: string): readonly string[] => {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (!list.every((item) => typeof item === 'string')) {
    return malformed(SYNTAX, path, 'must be a string or a list of strings');
  }
  return list;
};
