import { type ConditionKeyType, conditionKey } from './condition-keys.ts';
import { type OperatorType, parseOperator } from './condition-operators.ts';
import type { ConditionClause, Policy, Statement } from './policy.ts';

/** Something that a policy may say and hardly means. */
export interface PolicyWarning {
  readonly statementIndex: number;
  readonly code:
    | 'unknown-condition-key'
    | 'unknown-condition-operator'
    | 'operator-of-another-type'
    | 'set-operator-on-single-value'
    | 'single-value-operator-on-set'
    | 'allows-when-key-is-absent'
    | 'allow-with-not-principal'
    | 'no-resource';
  readonly sentence: string;
}

const FITTING: Record<ConditionKeyType, ReadonlySet<OperatorType>> = {
  string: new Set(['string', 'string-ignore-case', 'string-like']),
  arn: new Set(['arn', 'string', 'string-ignore-case', 'string-like']),
  bool: new Set(['bool', 'string', 'string-ignore-case']),
  numeric: new Set(['numeric']),
  date: new Set(['date', 'numeric']),
  ip: new Set(['ip']),
};

type Finding = Omit<PolicyWarning, 'statementIndex'>;

const clauseFindings = ({ operator: name, key: keyName, values }: ConditionClause, statement: Statement): Finding[] => {
  const operator = parseOperator(name);
  if (operator === null) {
    return [
      {
        code: 'unknown-condition-operator',
        sentence: `${name} is unknown: a Deny applies regardless, an Allow never.`,
      },
    ];
  }
  const key = conditionKey(keyName);
  if (key === null) return [{ code: 'unknown-condition-key', sentence: `${keyName} is never in a request here.` }];
  const findings: Finding[] = [];
  const isNull = operator.type === 'null';
  // ARNs stand in strings too: grantees, keys.
  const fits = isNull || FITTING[key.type].has(operator.type) || (key.type === 'string' && operator.type === 'arn');
  if (!fits)
    findings.push({ code: 'operator-of-another-type', sentence: `${keyName} is of type ${key.type}, ${name} is not.` });
  if (operator.set !== null && !key.multivalued) {
    findings.push({
      code: 'set-operator-on-single-value',
      sentence: `${keyName} has one value at most: ${name} adds nothing safe.`,
    });
  }
  if (operator.set === null && key.multivalued && !isNull) {
    const sentence = `${keyName} may have several values: say ForAllValues or ForAnyValue.`;
    findings.push({ code: 'single-value-operator-on-set', sentence });
  }
  const guarded = statement.conditions.some(
    (other) =>
      other.operator === 'Null' && other.key.toLowerCase() === keyName.toLowerCase() && !other.values.includes('true'),
  );
  if (statement.effect === 'Allow' && operator.set === 'all' && !guarded) {
    const sentence = `${name} on ${keyName} (${values.join(', ')}) also holds when the request has none: add Null "false".`;
    findings.push({ code: 'allows-when-key-is-absent', sentence });
  }
  return findings;
};

const statementFindings = (statement: Statement, { kind }: Policy): Finding[] => {
  const findings = statement.conditions.flatMap((clause) => clauseFindings(clause, statement));
  if (statement.effect === 'Allow' && statement.principals?.not === true) {
    findings.push({
      code: 'allow-with-not-principal',
      sentence: 'Allow with NotPrincipal allows everybody else, of any account.',
    });
  }
  if (kind === 'key' && statement.resources === null) {
    findings.push({ code: 'no-resource', sentence: 'Without Resource the statement applies to nothing.' });
  }
  return findings;
};

/** What to tell the author of a policy that was accepted. */
export const policyWarnings = (policy: Policy): PolicyWarning[] =>
  policy.statements.flatMap((statement, statementIndex) =>
    statementFindings(statement, policy).map((finding) => ({ statementIndex, ...finding })),
  );
