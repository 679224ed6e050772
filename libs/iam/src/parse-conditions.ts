import { isValueOf, parseOperator } from './condition-operators.ts';
import { isRecord, malformed, type ParseScope, SYNTAX } from './parse-fault.ts';
import type { ConditionClause } from './policy.ts';

const VENDOR = 'Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.';

const conditionValues = (value: unknown, path: string): string[] => {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  return list.map((item) => {
    if (typeof item === 'string') return item;
    if (typeof item === 'number' || typeof item === 'boolean') return String(item);
    return malformed(SYNTAX, path, 'must be a string, number or boolean, or a list of them');
  });
};

const checkClause = ({ operator: name, key, values }: ConditionClause, path: string): void => {
  const operator = parseOperator(name);
  if (operator === null) return malformed(SYNTAX, path, `unknown condition operator ${JSON.stringify(name)}`);
  if (!key.includes(':')) return malformed(VENDOR, path, `condition key ${JSON.stringify(key)} has no vendor`);
  const unfit = values.find((value) => !isValueOf(operator.type, value));
  if (unfit === undefined) return;
  const message = operator.type === 'date' ? 'The policy failed legacy parsing' : SYNTAX;
  return malformed(message, path, `${JSON.stringify(unfit)} is no value for ${name}`);
};

/** @throws PolicyError */
export const parseConditions = (value: unknown, path: string, { stored }: ParseScope): ConditionClause[] => {
  if (!isRecord(value)) return malformed(SYNTAX, path, 'must be an object of condition operators');
  const clauses: ConditionClause[] = [];
  for (const [operator, keys] of Object.entries(value)) {
    const at = `${path}.${operator}`;
    if (!isRecord(keys)) return malformed(SYNTAX, at, 'must be an object of condition keys');
    if (!stored && parseOperator(operator) === null) return malformed(SYNTAX, at, 'unknown condition operator');
    for (const [key, values] of Object.entries(keys)) {
      const clause = { operator, key, values: conditionValues(values, `${at}.${key}`) };
      if (!stored) checkClause(clause, `${at}.${key}`);
      clauses.push(clause);
    }
  }
  return clauses;
};
