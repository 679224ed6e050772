import type { RequestContext } from '@holdfast/contracts';
import { parsePolicy, principalsOf } from '@holdfast/iam';
import { isInfrastructureSession, namesIdentity } from '../domain/access.ts';
import { refuse } from '../domain/errors.ts';
import type { PrincipalIds } from '../domain/key.events.ts';
import type { GrantRecord, Kms } from './ports.ts';

/**
 * Whom a policy that was admitted names.
 * @returns unique ids of its users and roles, which the names stand for from now on.
 * @throws DomainError MalformedPolicy when one of its principals does not exist.
 */
export const principalIdsOf = async (
  kms: Kms,
  policy: string | null,
  context: RequestContext,
): Promise<PrincipalIds> => {
  const names = policy === null ? [] : principalsOf(parsePolicy(policy, 'key'));
  if (names.length === 0) return {};
  const found = await kms.principals.resolve(names, context);
  const ids: Record<string, string> = {};
  for (const name of names) {
    const id = found.get(name) ?? null;
    if (id === null) {
      return refuse('MalformedPolicy', { message: 'Policy contains a statement with one or more invalid principals.' });
    }
    if (namesIdentity(name)) ids[name] = id;
  }
  return ids;
};

/** Services are known by their form, and the role of EC2's hosts is in no account's IAM. */
const isLookedUp = (arn: string): boolean => arn.startsWith('arn:') && !isInfrastructureSession(arn);

/**
 * Unique ids of a new grant's principals, as far as they are users or roles.
 * @throws DomainError InvalidPrincipal when one does not exist.
 */
export const grantPrincipalIds = async (
  kms: Kms,
  grantee: string,
  retiring: string | null,
  context: RequestContext,
): Promise<{ granteeId?: string; retiringId?: string }> => {
  const arns = [grantee, ...(retiring === null ? [] : [retiring])];
  const asked = arns.filter(isLookedUp);
  if (asked.length === 0) return {};
  const found = await kms.principals.resolve(asked, context);
  const absent = asked.find((arn) => (found.get(arn) ?? null) === null);
  if (absent !== undefined) return refuse('InvalidPrincipal', { arn: absent });
  const idOf = (arn: string | null) => (arn !== null && namesIdentity(arn) ? found.get(arn) : null) ?? undefined;
  const [granteeId, retiringId] = [idOf(grantee), idOf(retiring)];
  return { ...(granteeId === undefined ? {} : { granteeId }), ...(retiringId === undefined ? {} : { retiringId }) };
};

/** What grants may call whoever has this name now: grants of before ids were looked up know ARNs only. */
export const storedNames = async (kms: Kms, name: string, context: RequestContext): Promise<string[]> => {
  if (!namesIdentity(name)) return [name];
  const id = (await kms.principals.resolve([name], context)).get(name) ?? null;
  return id === null ? [name] : [name, id];
};

/** Those of `ids` whose names have gone, or are somebody else's by now: they are shown by their ids. */
export const goneIds = async (kms: Kms, ids: PrincipalIds, context: RequestContext): Promise<PrincipalIds> => {
  const names = Object.keys(ids);
  if (names.length === 0) return {};
  const now = await kms.principals.resolve(names, context);
  return Object.fromEntries(Object.entries(ids).filter(([arn, id]) => now.get(arn) !== id));
};

/** AWS's GrantListEntry of each. Users and roles are shown by ARN while they exist, and by unique id afterwards. */
export const grantEntries = async (
  kms: Kms,
  grants: readonly GrantRecord[],
  context: RequestContext,
): Promise<Record<string, unknown>[]> => {
  const pairs = grants.flatMap(({ granteePrincipal, retiringPrincipal, named }): [string, string | null][] => [
    [named.granteePrincipal, granteePrincipal],
    ...(named.retiringPrincipal === null
      ? []
      : [[named.retiringPrincipal, retiringPrincipal] as [string, string | null]]),
  ]);
  const names = [...new Set(pairs.filter(([name, id]) => name !== id).map(([name]) => name))];
  const now = names.length === 0 ? new Map<string, string | null>() : await kms.principals.resolve(names, context);
  const shown = (name: string, id: string | null) => (name === id || now.get(name) === id ? name : id);
  return grants.map((grant) => ({
    KeyId: grant.keyArn,
    GrantId: grant.grantId,
    Name: grant.name,
    CreationDate: grant.createdAt,
    GranteePrincipal: shown(grant.named.granteePrincipal, grant.granteePrincipal),
    ...(grant.named.retiringPrincipal === null
      ? {}
      : { RetiringPrincipal: shown(grant.named.retiringPrincipal, grant.retiringPrincipal) }),
    IssuingAccount: `arn:aws:iam::${grant.issuingAccount}:root`,
    Operations: grant.operations,
    ...(grant.constraints === null ? {} : { Constraints: grant.constraints }),
  }));
};
