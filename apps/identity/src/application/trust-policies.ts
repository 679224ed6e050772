import { AwsError, type InternalRequests } from '@holdfast/contracts';
import { parsePolicy, principalsOf, renamePrincipals } from '@holdfast/iam';
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
const UNIQUE_ID = /^A(?:IDA|ROA)[A-Z0-9]+$/;
const ACCOUNT = /^(?:arn:aws:iam::(\d{12}):root|(\d{12}))$/;
const ROLE_SESSION = /^arn:aws:sts::(\d{12}):assumed-role\/([^/]+)\/[^/]+$/;
const FEDERATED_USER = /^arn:aws:sts::(\d{12}):federated-user\/[^/]+$/;

/** What stands behind names that are no user's or role's ARN. */
const otherId = async (iam: Iam, name: string): Promise<string | null> => {
  if (UNIQUE_ID.test(name)) return (await iam.tables.identityById(name))?.id ?? null;
  const [, , role = ''] = ROLE_SESSION.exec(name) ?? [];
  if (role !== '') {
    const row = await iam.tables.identity(name.split(':')[4] ?? '', 'role', role);
    return row?.name === role ? row.id : null;
  }
  const [, root, plain] = ACCOUNT.exec(name) ?? [];
  // A federated user is in no table: whoever its account is, may make a session of that name at any time.
  const account = root ?? plain ?? FEDERATED_USER.exec(name)?.[1];
  return account !== undefined && iam.rootKeys.hasAccount(account) ? account : null;
};

/** @throws RangeError for more than 1000 names. */
export const resolvePrincipals = async (iam: Iam, { arns }: Resolve['in']): Promise<Resolve['out']> => {
  if (arns.length > MAX_ARNS) throw new RangeError(`${String(arns.length)} ARNs at once`);
  const ids = await uniqueIds(iam, arns);
  const principalIds: [string, string | null][] = [];
  for (const arn of arns) {
    const known = USER_OR_ROLE.test(arn) ? (Object.hasOwn(ids, arn) ? ids[arn] : null) : await otherId(iam, arn);
    principalIds.push([arn, known ?? null]);
  }
  return { principalIds: Object.fromEntries(principalIds) };
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
  return renamePrincipals(document, Object.fromEntries(named.filter(([arn, id]) => now[arn] !== id)));
};
