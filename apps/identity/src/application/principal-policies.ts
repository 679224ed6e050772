import type { InternalRequests, Principal, PrincipalPolicies, SourcedPolicy } from '@holdfast/contracts';
import { awsManagedPolicy } from '../domain/aws-managed-policies.ts';
import type { Tags } from '../domain/iam.events.ts';
import type { Iam, IdentityRow, SessionRow } from './ports.ts';

type Get = InternalRequests['identity']['GetPrincipalPolicies'];

const TEMPORARY = 'ASIA';
/** What the root user may hand to a federated user: everything. */
const ROOT_POLICY = 'arn:aws:iam::aws:policy/AdministratorAccess';

export const isTemporary = ({ accessKeyId }: Pick<Principal, 'accessKeyId'>): boolean =>
  accessKeyId?.startsWith(TEMPORARY) === true;

/** Tags with others over them; keys do not differ by case alone. */
const overlaid = (tags: Tags, over: Tags): Record<string, string> => {
  const replaced = new Set(Object.keys(over).map((key) => key.toLowerCase()));
  const kept = Object.entries(tags).filter(([key]) => !replaced.has(key.toLowerCase()));
  return Object.fromEntries([...kept, ...Object.entries(over)]);
};

/** @throws Error when one of the policies is not there: what refers to a policy keeps it from being deleted. */
const managed = async (iam: Iam, arns: readonly string[]): Promise<SourcedPolicy[]> => {
  const own = arns.filter((arn) => awsManagedPolicy(arn) === null);
  const documents = own.length === 0 ? new Map<string, string>() : await iam.tables.defaultDocuments(own);
  return arns.map((arn) => {
    const aws = awsManagedPolicy(arn);
    const document = aws?.document ?? documents.get(arn);
    if (document === undefined) throw new Error(`policy ${arn} is in use and not there`);
    return { sourceId: arn, sourceType: aws === null ? 'user-managed' : 'aws-managed', document };
  });
};

/** A session may refer to a policy that was deleted since: it then allows nothing, and denies nothing either. */
const stillThere = async (iam: Iam, arns: readonly string[]): Promise<string[]> => {
  const documents = await iam.tables.defaultDocuments(arns);
  return arns.filter((arn) => awsManagedPolicy(arn) !== null || documents.has(arn));
};

const sessionPolicies = async (
  iam: Iam,
  { sessionPolicies: passed }: SessionRow,
): Promise<SourcedPolicy[] | undefined> => {
  if (passed === null) return undefined;
  const { document, arns } = passed;
  const own: SourcedPolicy[] = document === null ? [] : [{ sourceId: 'session', sourceType: 'none', document }];
  return [...own, ...(await managed(iam, await stillThere(iam, arns)))];
};

const identityPolicies = async (iam: Iam, identity: IdentityRow): Promise<SourcedPolicy[]> => {
  const groups = identity.kind === 'user' ? await iam.tables.groupsOf(identity.id) : [];
  const holders = new Map([identity, ...groups].map((holder) => [holder.id, holder]));
  const ids = [...holders.keys()];
  const [inline, attached] = await Promise.all([iam.tables.inlinePolicies(ids), iam.tables.attachedPolicies(ids)]);
  const named = inline.flatMap(({ identityId, policyName, document }): SourcedPolicy[] => {
    const holder = holders.get(identityId);
    if (holder === undefined || holder.kind === 'instance-profile') return [];
    return [{ sourceId: `${holder.kind}_${holder.name}_${policyName}`, sourceType: holder.kind, document }];
  });
  return [...named, ...(await managed(iam, [...new Set(attached.map(({ arn }) => arn))]))];
};

/** All policies of a user, group or role: of a user also its groups', and the boundary. */
export const policiesOfIdentity = async (
  iam: Iam,
  identity: IdentityRow,
): Promise<Pick<PrincipalPolicies, 'identityPolicies' | 'permissionsBoundary'>> => {
  const [boundary] = await managed(iam, identity.permissionsBoundary === null ? [] : [identity.permissionsBoundary]);
  return {
    identityPolicies: await identityPolicies(iam, identity),
    ...(boundary === undefined ? {} : { permissionsBoundary: boundary }),
  };
};

/** The user or role behind a principal; null: the root user; undefined: gone. */
const identityOf = async (
  iam: Iam,
  { type, principalId }: Principal,
  session: SessionRow | null,
): Promise<IdentityRow | null | undefined> => {
  if (type === 'Root') return null;
  const id = type === 'FederatedUser' ? session?.identityId : principalId.split(':')[0];
  if (id === null) return null;
  return id === undefined ? undefined : ((await iam.tables.identityById(id)) ?? undefined);
};

/** Null: the principal is no more, or never was anybody that identity knows. */
export const principalPolicies = async (iam: Iam, principal: Principal): Promise<PrincipalPolicies | null> => {
  const { type, accessKeyId, principalId, accountId } = principal;
  if (type === 'AWSService') return null;
  const isSession = isTemporary(principal);
  if (!isSession && (type === 'AssumedRole' || type === 'FederatedUser')) return null;
  const session = isSession && accessKeyId !== undefined ? await iam.tables.session(accessKeyId) : null;
  if (isSession && session?.principal.principalId !== principalId) return null;
  const identity = await identityOf(iam, principal, session);
  if (identity === undefined || (identity !== null && identity.accountId !== accountId)) return null;
  const passed = session === null ? undefined : await sessionPolicies(iam, session);
  const common = {
    ...(passed === undefined ? {} : { sessionPolicies: passed }),
    principalTags: overlaid(identity?.tags ?? {}, session?.principal.sessionTags ?? {}),
    userId: principalId,
  };
  if (identity === null) {
    return { identityPolicies: type === 'Root' ? [] : await managed(iam, [ROOT_POLICY]), ...common };
  }
  return {
    ...(await policiesOfIdentity(iam, identity)),
    ...common,
    ...(identity.kind === 'user' ? { userName: identity.name } : {}),
  };
};

/** The version is read first: a change that comes between makes the asker ask once more, and never miss it. */
export const getPrincipalPolicies = async (iam: Iam, { principal, ifNoneMatch }: Get['in']): Promise<Get['out']> => {
  const version = await iam.tables.accountVersion(principal.accountId);
  if (version === ifNoneMatch) return { version, notModified: true };
  const policies = await principalPolicies(iam, principal);
  return policies === null ? null : { version, notModified: false, policies };
};
