import { isRecord } from './parse-fault.ts';

const renamed = (value: unknown, names: Readonly<Record<string, string>>): unknown => {
  if (typeof value === 'string') return Object.hasOwn(names, value) ? names[value] : value;
  if (Array.isArray(value)) return value.map((item) => renamed(item, names));
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renamed(item, names)]));
};

const renamedStatement = (statement: unknown, names: Readonly<Record<string, string>>): unknown => {
  if (!isRecord(statement)) return statement;
  return Object.fromEntries(
    Object.entries(statement).map(([element, value]) => [
      element,
      element === 'Principal' || element === 'NotPrincipal' ? renamed(value, names) : value,
    ]),
  );
};

/**
 * A stored policy with some of its principals under other names: by unique ids, so that a user or role that gets the name of
 * one that was deleted gets nothing else of it; everything else stays as it is.
 * @param text a policy that was admitted.
 * @param names new names by ARN.
 */
export const renamePrincipals = (text: string, names: Readonly<Record<string, string>>): string => {
  if (Object.keys(names).length === 0) return text;
  const { Statement, ...rest } = JSON.parse(text) as { Statement: unknown };
  const statements: unknown[] = Array.isArray(Statement) ? Statement : [Statement];
  return JSON.stringify({ ...rest, Statement: statements.map((statement) => renamedStatement(statement, names)) });
};
