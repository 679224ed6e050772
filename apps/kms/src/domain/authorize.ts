import type { AccountId, KeyArn, Principal, Region } from '@holdfast/contracts';
import type { GrantConstraints, GrantOperation } from './grant.events.ts';
import { GRANT_OPERATIONS } from './grant.events.ts';
import type { KeyManager } from './key.events.ts';

export interface ProtectedKey {
  readonly arn: KeyArn;
  readonly accountId: AccountId;
  readonly region: Region;
  readonly keyManager: KeyManager;
}

export interface AccessRequest {
  /** IAM's action without `kms:`. */
  readonly action: string;
  readonly principal: Principal;
  /** `ec2.<region>.amazonaws.com` when EC2 calls on the principal's behalf. */
  readonly viaService: string | undefined;
  /** Null: the action has no key (CreateKey, ListKeys, …). */
  readonly key: ProtectedKey | null;
  /** Of a cryptographic operation: what a grant's constraints are held against. */
  readonly encryptionContext?: Readonly<Record<string, string>>;
  /** Of CreateGrant: what the new grant would permit, which a grant that allows it must cover. */
  readonly newGrant?: { readonly operations: readonly GrantOperation[]; readonly constraints: GrantConstraints | null };
}

/** A grant on the key in question, as far as it decides. */
export interface ActiveGrant {
  readonly grantId: string;
  readonly granteePrincipal: string;
  readonly operations: readonly GrantOperation[];
  readonly constraints: GrantConstraints | null;
}

export type Decision =
  { readonly allowed: true; readonly grantId: string | null } | { readonly allowed: false; readonly message: string };

const isGrantOperation = (action: string): action is GrantOperation =>
  (GRANT_OPERATIONS as readonly string[]).includes(action);

/** Whether asking for the key's grants can change the decision. */
export const grantsMatterTo = (action: string): boolean => isGrantOperation(action);

/** The names under which grants may list this principal: itself and, for a role's session, the role. */
export const granteeNames = ({ type, arn }: Principal): readonly string[] => {
  const session = type === 'AssumedRole' ? /^arn:aws:sts::(\d{12}):assumed-role\/(.+)\/[^/]+$/.exec(arn) : null;
  return session ? [arn, `arn:aws:iam::${session[1] ?? ''}:role/${session[2] ?? ''}`] : [arn];
};

/** The role under which EC2's hosts act for instances. */
const INFRASTRUCTURE_SESSION = /^arn:aws:sts::\d{12}:assumed-role\/aws:ec2-infrastructure\//;

/** Services, and EC2's own role, hold no policies: what a grant does not give them they do not have. */
const actsUnderGrantsOnly = ({ type, arn }: Principal): boolean =>
  type === 'AWSService' || INFRASTRUCTURE_SESSION.test(arn);

const pairsWithin = (pairs: Readonly<Record<string, string>>, whole: Readonly<Record<string, string>>): boolean =>
  Object.entries(pairs).every(([name, value]) => Object.hasOwn(whole, name) && whole[name] === value);

const samePairs = (a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean =>
  Object.keys(a).length === Object.keys(b).length && pairsWithin(a, b);

/** DescribeKey and RetireGrant bring no encryption context; constraints do not bind them. */
const UNCONSTRAINED: ReadonlySet<string> = new Set(['DescribeKey', 'RetireGrant']);

const constraintsHold = (
  { EncryptionContextSubset: subset, EncryptionContextEquals: equals }: GrantConstraints,
  context: Readonly<Record<string, string>>,
): boolean =>
  (subset === undefined || pairsWithin(subset, context)) && (equals === undefined || samePairs(equals, context));

/** Whether every context that the child permits, the parent permits too. */
const atLeastAsStrict = (child: GrantConstraints | null, parent: GrantConstraints | null): boolean => {
  if (parent === null) return true;
  if (child === null) return false;
  const { EncryptionContextSubset: subset, EncryptionContextEquals: equals } = child;
  if (parent.EncryptionContextEquals !== undefined) {
    if (equals === undefined || !samePairs(parent.EncryptionContextEquals, equals)) return false;
  }
  const required = parent.EncryptionContextSubset;
  if (required === undefined) return true;
  return (
    (subset !== undefined && pairsWithin(required, subset)) || (equals !== undefined && pairsWithin(required, equals))
  );
};

const grantAllows = (grant: ActiveGrant, request: AccessRequest): boolean => {
  const { action, principal, encryptionContext, newGrant } = request;
  if (!isGrantOperation(action) || !grant.operations.includes(action)) return false;
  if (!granteeNames(principal).includes(grant.granteePrincipal)) return false;
  if (action === 'CreateGrant') {
    if (newGrant === undefined) return false;
    const covered = newGrant.operations.every((operation) => grant.operations.includes(operation));
    return covered && atLeastAsStrict(newGrant.constraints, grant.constraints);
  }
  if (grant.constraints === null || UNCONSTRAINED.has(action)) return true;
  return constraintsHold(grant.constraints, encryptionContext ?? {});
};

/** What the policy of `aws/ebs` lets every principal of the account do, when EC2 asks for them. */
const THROUGH_SERVICE: ReadonlySet<string> = new Set([
  'Encrypt',
  'Decrypt',
  'ReEncryptFrom',
  'ReEncryptTo',
  'GenerateDataKey',
  'GenerateDataKeyWithoutPlaintext',
  'CreateGrant',
  'DescribeKey',
]);
/** … and what it lets the account's principals do themselves: kms:Describe*, kms:Get*, kms:List*, kms:RevokeGrant. */
const METADATA = /^(?:Describe|Get|List|RevokeGrant$)/;

const managedKeyPolicyAllows = ({ action, principal, viaService }: AccessRequest, key: ProtectedKey): boolean => {
  if (viaService === `ec2.${key.region}.amazonaws.com` && THROUGH_SERVICE.has(action)) return true;
  return METADATA.test(action) && principal.type === 'Root';
};

const policyAllows = (request: AccessRequest): boolean => {
  const { principal, key } = request;
  if (actsUnderGrantsOnly(principal)) return false;
  // Actions without a key, and the default key policy, leave it to identity policies; only root needs none.
  if (key === null) return principal.type === 'Root';
  if (principal.accountId !== key.accountId) return false;
  return key.keyManager === 'AWS' ? managedKeyPolicyAllows(request, key) : principal.type === 'Root';
};

/** AWS's sentence for a refusal, with the reason that the caller's and the key's accounts make likely. */
export const denial = ({ action, principal, key }: Omit<AccessRequest, 'viaService'>): string => {
  const resource = key?.arn ?? '*';
  const delegates = key === null || (principal.accountId === key.accountId && key.keyManager === 'CUSTOMER');
  const kind = delegates && !actsUnderGrantsOnly(principal) ? 'identity-based' : 'resource-based';
  const sentence = `User: ${principal.arn} is not authorized to perform: kms:${action} on resource: ${resource}`;
  return `${sentence} because no ${kind} policy allows the kms:${action} action`;
};

/** AWS's sentence when a key or alias of another account does not exist: it gives nothing away. */
export const foreignDenial = (action: string, principal: Principal, arn: string): string =>
  `User: ${principal.arn} is not authorized to perform: kms:${action} on resource: ${arn} because the resource does not ` +
  'exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access';

/**
 * May this principal do this? Denies unless the key's policy or one of `grants` allows.
 * @param grants active ones of this key, at least all that name the principal and hold for the context; others do no harm.
 * @see KMS developer guide, "Troubleshooting key access"
 */
export const authorize = (request: AccessRequest, grants: readonly ActiveGrant[]): Decision => {
  if (policyAllows(request)) return { allowed: true, grantId: null };
  const grant = request.key === null ? undefined : grants.find((candidate) => grantAllows(candidate, request));
  return grant === undefined ? { allowed: false, message: denial(request) } : { allowed: true, grantId: grant.grantId };
};

/** Who may retire a grant: its retiring principal, a grantee who may RetireGrant, and the root of the account that issued it. */
export const mayRetire = (
  principal: Principal,
  grant: ActiveGrant & { readonly retiringPrincipal: string | null; readonly issuingAccount: AccountId },
): boolean => {
  const names = granteeNames(principal);
  if (grant.retiringPrincipal !== null && names.includes(grant.retiringPrincipal)) return true;
  if (names.includes(grant.granteePrincipal) && grant.operations.includes('RetireGrant')) return true;
  return principal.type === 'Root' && principal.accountId === grant.issuingAccount;
};
