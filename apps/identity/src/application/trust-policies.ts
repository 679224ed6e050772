import { AwsError, type InternalRequests } from '@holdfast/contracts';
import { parsePolicy, principalsOf } from '@holdfast/iam';
import type { PrincipalIds } from '../domain/iam.events.ts';
import type { Iam, IdentityRow } from './ports.ts';
import { checkDocument } from './support.ts';

const USER_OR_ROLE = /^arn:aws:iam::\d{12}:(?:user|role)\//;

/** Users and roles by ARN, as far as they exist, whatever their account. */
export const uniqueIds = async (iam: Iam, arns: readonly string[]): Promise<PrincipalIds> => {
  const rows = await iam.tables.identitiesByArn(arns.filter((arn) => USER_OR_ROLE.test(arn)));
  return Object.fromEntries(rows.map(({ arn, id }) => [arn, id]));
};

type Resolve = InternalRequests['identity']['ResolvePrincipals'];

const MAX_ARNS = 1000;

/** @throws RangeError for more than 1000 ARNs. */
export const resolvePrincipals = async (iam: Iam, { arns }: Resolve['in']): Promise<Resolve['out']> => {
  if (arns.length > MAX_ARNS) throw new RangeError(`${String(arns.length)} ARNs at once`);
  const ids = await uniqueIds(iam, arns);
  const idOf = (arn: string) => (Object.hasOwn(ids, arn) ? (ids[arn] ?? null) : null);
  return { principalIds: Object.fromEntries(arns.map((arn) => [arn, idOf(arn)])) };
};

/**
 * Checks a trust policy that is to be kept.
 * @returns unique ids of the users and roles that it names.
 * @throws AwsError MalformedPolicyDocument, also when it names a user or role that does not exist.
 */
export const checkTrustPolicy = async (iam: Iam, document: string): Promise<PrincipalIds> => {
  checkDocument(document, 'trust');
  const named = principalsOf(parsePolicy(document, 'trust')).filter((name) => USER_OR_ROLE.test(name));
  const ids = await uniqueIds(iam, named);
  const absent = named.find((name) => !Object.hasOwn(ids, name));
  if (absent === undefined) return ids;
  throw new AwsError({ code: 'MalformedPolicyDocument', message: `Invalid principal in policy: "AWS":"${absent}"` });
};

/** Replaces strings of a JSON value that stand in `names`. */
const replaced = (value: unknown, names: ReadonlyMap<string, string>): unknown => {
  if (typeof value === 'string') return names.get(value) ?? value;
  if (Array.isArray(value)) return value.map((item) => replaced(item, names));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaced(item, names)]));
};

/**
 * The trust policy as it stands now: users and roles that were deleted since it was put are named by their unique ids, even
 * when others have got their names.
 */
export const currentTrustPolicy = async (
  iam: Iam,
  { trustPolicy, principalIds }: Pick<IdentityRow, 'trustPolicy' | 'principalIds'>,
): Promise<string> => {
  const document = trustPolicy ?? '';
  const named = Object.entries(principalIds);
  if (named.length === 0) return document;
  const now = await uniqueIds(iam, Object.keys(principalIds));
  const gone = new Map(named.filter(([arn, id]) => now[arn] !== id));
  if (gone.size === 0) return document;
  const { Statement, ...rest } = JSON.parse(document) as { Statement: object | object[] };
  const statements = (Array.isArray(Statement) ? Statement : [Statement]) as Record<string, unknown>[];
  return JSON.stringify({
    ...rest,
    Statement: statements.map((statement) =>
      Object.fromEntries(
        Object.entries(statement).map(([name, value]) => [
          name,
          name === 'Principal' || name === 'NotPrincipal' ? replaced(value, gone) : value,
        ]),
      ),
    ),
  });
};
