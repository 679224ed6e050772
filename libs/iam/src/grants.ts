import { furtherReach, namesOf, type Principal, type Reach, rootArn } from './principal.ts';
import type { AccessRequest } from './request.ts';

/** Of the encryption context that a use must bring: these pairs among others, or exactly these. */
export interface GrantConstraints {
  readonly EncryptionContextSubset?: Readonly<Record<string, string>>;
  readonly EncryptionContextEquals?: Readonly<Record<string, string>>;
}

/** All that a grant can allow. @see KMS API reference, CreateGrant */
export const GRANT_OPERATIONS = [
  'Decrypt',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'ReEncryptFrom',
  'ReEncryptTo',
  'Sign',
  'Verify',
  'GetPublicKey',
  'CreateGrant',
  'RetireGrant',
  'DescribeKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateMac',
  'VerifyMac',
  'DeriveSharedSecret',
] as const;

/** By IAM action in lower case. */
const OPERATION_OF: ReadonlyMap<string, string> = new Map(
  GRANT_OPERATIONS.map((operation) => [`kms:${operation.toLowerCase()}`, operation]),
);

/** A live grant on the key in question. */
export interface Grant {
  readonly grantId: string;
  /** An ARN, or a service's DNS name. */
  readonly granteePrincipal: string;
  /** Of `GRANT_OPERATIONS`; others allow nothing. */
  readonly operations: readonly string[];
  readonly constraints: GrantConstraints | null;
  /** The two that RetireGrant asks about. */
  readonly retiringPrincipal?: string | null;
  readonly issuingAccount?: string;
}

/** What CreateGrant would make. */
export interface NewGrant {
  readonly granteePrincipal: string;
  readonly retiringPrincipal?: string | null;
  readonly operations: readonly string[];
  readonly constraints: GrantConstraints | null;
}

/** Why a grant does not help: the element of it that failed. `ChildOperations`, `ChildConstraints`: those of the new grant. */
export type GrantElement = 'Operations' | 'GranteePrincipal' | 'Constraints' | 'ChildOperations' | 'ChildConstraints';

export type GrantMatch = { readonly reach: Reach } | { readonly failed: GrantElement };

type Pairs = Readonly<Record<string, string>>;

const pairsWithin = (pairs: Pairs, whole: Pairs): boolean =>
  Object.entries(pairs).every(([name, value]) => Object.hasOwn(whole, name) && whole[name] === value);

const samePairs = (a: Pairs, b: Pairs): boolean => Object.keys(a).length === Object.keys(b).length && pairsWithin(a, b);

const constraintsHold = (
  { EncryptionContextSubset, EncryptionContextEquals }: GrantConstraints,
  context: Pairs,
): boolean =>
  (EncryptionContextSubset === undefined || pairsWithin(EncryptionContextSubset, context)) &&
  (EncryptionContextEquals === undefined || samePairs(EncryptionContextEquals, context));

/** Whether every encryption context that the child permits, the parent permits too. */
export const atLeastAsStrict = (child: GrantConstraints | null, parent: GrantConstraints | null): boolean => {
  const { EncryptionContextSubset: subset, EncryptionContextEquals: equals } = child ?? {};
  const wantedEquals = parent?.EncryptionContextEquals;
  if (wantedEquals !== undefined && (equals === undefined || !samePairs(wantedEquals, equals))) return false;
  const wanted = parent?.EncryptionContextSubset ?? {};
  return pairsWithin(wanted, subset ?? {}) || (equals !== undefined && pairsWithin(wanted, equals));
};

/** DescribeKey and RetireGrant bring no encryption context; constraints do not bind them. */
const UNCONSTRAINED: ReadonlySet<string> = new Set(['DescribeKey', 'RetireGrant']);

const reachOf = (name: string, principal: Principal): Reach | null => {
  if (principal.kind === 'service') return name === principal.arn ? 'direct' : null;
  return namesOf(principal).reduce<Reach | null>((found, [candidate, reach]) => {
    const listed = candidate === principal.accountId ? rootArn(candidate) : candidate;
    return listed === name ? furtherReach(found, reach) : found;
  }, null);
};

const covers = (grant: Grant, child: NewGrant | undefined): GrantElement | null => {
  if (child === undefined) return 'ChildOperations';
  if (!child.operations.every((operation) => grant.operations.includes(operation))) return 'ChildOperations';
  return atLeastAsStrict(child.constraints, grant.constraints) ? null : 'ChildConstraints';
};

/** Whether a grant allows the request, and as whom it names the caller. */
export const matchGrant = (grant: Grant, { action, principal, kms }: AccessRequest): GrantMatch => {
  const operation = OPERATION_OF.get(action.toLowerCase());
  if (operation === undefined || !grant.operations.includes(operation)) return { failed: 'Operations' };
  const reach = reachOf(grant.granteePrincipal, principal);
  if (reach === null) return { failed: 'GranteePrincipal' };
  if (operation === 'CreateGrant') {
    const failed = covers(grant, kms?.newGrant);
    return failed === null ? { reach } : { failed };
  }
  if (grant.constraints === null || UNCONSTRAINED.has(operation)) return { reach };
  return constraintsHold(grant.constraints, kms?.encryptionContext ?? {}) ? { reach } : { failed: 'Constraints' };
};

/**
 * RetireGrant is the grant's own affair: its retiring principal may, its grantee when RetireGrant is among the operations,
 * and whoever identity-based policies of the issuing account let.
 */
export const matchRetirableGrant = (grant: Grant, request: AccessRequest): GrantMatch => {
  const { principal } = request;
  const retiring = grant.retiringPrincipal ? reachOf(grant.retiringPrincipal, principal) : null;
  const asGrantee = matchGrant(grant, request);
  const issued = principal.accountId !== null && grant.issuingAccount === principal.accountId;
  const byIssuer: Reach | null = issued ? (principal.kind === 'root' ? 'direct' : 'account') : null;
  const reach = furtherReach(furtherReach(retiring, byIssuer), 'reach' in asGrantee ? asGrantee.reach : null);
  return reach === null ? { failed: 'GranteePrincipal' } : { reach };
};
