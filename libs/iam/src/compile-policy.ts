import { isValueOf, type Operator, parseOperator, takesVariables } from './condition-operators.ts';
import { parseBinary, parseBool, parseDate, parseIpRange, parseNumber } from './condition-values.ts';
import { type Glob, globOf } from './glob.ts';
import { parsePolicy, readStoredPolicy } from './parse-policy.ts';
import type { ConditionClause, Effect, PatternList, Policy, PolicyKind, PrincipalList, Statement } from './policy.ts';
import { parseTemplate, type Template } from './template.ts';

export interface CompiledPrincipals {
  readonly not: boolean;
  readonly everyone: boolean;
  /** Accounts by id, ARNs, unique ids. */
  readonly aws: ReadonlySet<string>;
  readonly services: ReadonlySet<string>;
}

/** A value under its operator's type. Text may depend on the request; the rest is parsed once. */
export type CompiledValue = Template | number | boolean | string | NonNullable<ReturnType<typeof parseIpRange>>;

export interface CompiledCondition {
  readonly clause: ConditionClause;
  /** Null: not to be understood. It holds for Deny and not for Allow. */
  readonly operator: Operator | null;
  /** In lower case. */
  readonly key: string;
  readonly values: readonly CompiledValue[];
}

export interface CompiledStatement {
  readonly sid: string | null;
  readonly effect: Effect;
  readonly principals: CompiledPrincipals | null;
  readonly actionsNot: boolean;
  /** Of lower-case actions. */
  readonly actions: readonly Glob[];
  readonly resourcesNot: boolean;
  /** Null: without Resource. */
  readonly resources: readonly Template[] | null;
  readonly conditions: readonly CompiledCondition[];
}

/** A policy made ready for evaluation: compile once, evaluate often. */
export interface CompiledPolicy<Kind extends PolicyKind = PolicyKind> {
  readonly kind: Kind;
  /** What trails and messages call it: a managed policy's ARN, an inline policy's name; null where there is only one. */
  readonly name: string | null;
  readonly statements: readonly CompiledStatement[];
}

const NO_VARIABLES = { variables: false, wildcards: true };

const compileAction = (action: string): Glob => {
  const { parts } = parseTemplate(action.toLowerCase(), NO_VARIABLES);
  return globOf(parts.filter((part) => typeof part === 'number'));
};

const compilePrincipals = ({ not, everyone, aws, service }: PrincipalList): CompiledPrincipals => ({
  not,
  everyone,
  aws: new Set(aws),
  services: new Set(service),
});

const compileValue = ({ type }: Operator, value: string, variables: boolean): CompiledValue | null => {
  switch (type) {
    case 'numeric':
      return parseNumber(value);
    case 'date':
      return parseDate(value);
    case 'null':
      return parseBool(value);
    case 'binary':
      return parseBinary(value);
    case 'ip':
      return parseIpRange(value);
    case 'bool':
      return parseTemplate(value.toLowerCase(), { variables, wildcards: false });
    case 'string-ignore-case':
    case 'string':
      return parseTemplate(value, { variables, wildcards: false });
    case 'string-like':
    case 'arn':
      return parseTemplate(value, { variables, wildcards: true });
  }
};

const compileCondition = (clause: ConditionClause, variables: boolean): CompiledCondition => {
  const key = clause.key.toLowerCase();
  const operator = parseOperator(clause.operator);
  const undecidable = { clause, key, operator: null, values: [] };
  if (operator === null || !clause.values.every((value) => isValueOf(operator.type, value))) return undecidable;
  const expand = variables && takesVariables(operator.type);
  const values = clause.values.map((value) => compileValue(operator, value, expand));
  return { clause, key, operator, values: values.filter((value) => value !== null) };
};

const compileResources = (resources: PatternList | null, variables: boolean): Template[] | null =>
  resources?.patterns.map((pattern) => parseTemplate(pattern, { variables, wildcards: true })) ?? null;

const compileStatement = (
  { sid, effect, principals, actions, resources, conditions }: Statement,
  variables: boolean,
): CompiledStatement => ({
  sid,
  effect,
  principals: principals === null ? null : compilePrincipals(principals),
  actionsNot: actions.not,
  actions: actions.patterns.map(compileAction),
  resourcesNot: resources?.not ?? false,
  resources: compileResources(resources, variables),
  conditions: conditions.map((clause) => compileCondition(clause, variables)),
});

/** @param name for trails and messages: a managed policy's ARN, an inline policy's name. */
export const compilePolicy = <Kind extends PolicyKind>(
  { kind, version, statements }: Policy<Kind>,
  name: string | null = null,
): CompiledPolicy<Kind> => ({
  kind,
  name,
  statements: statements.map((statement) => compileStatement(statement, version === '2012-10-17')),
});

/** Reads and compiles a policy that was put before. @throws PolicyError when it is no policy at all */
export const loadPolicy = <Kind extends PolicyKind>(
  text: string,
  kind: Kind,
  name: string | null = null,
): CompiledPolicy<Kind> => compilePolicy(readStoredPolicy(text, kind), name);

/** Checks and compiles a policy that somebody wants to put. @throws PolicyError */
export const admitPolicy = <Kind extends PolicyKind>(
  text: string,
  kind: Kind,
  name: string | null = null,
): CompiledPolicy<Kind> => compilePolicy(parsePolicy(text, kind), name);
