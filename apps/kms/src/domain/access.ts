import type { Instant, KeyArn, Principal, RequestContext } from '@holdfast/contracts';
import {
  admitPolicy,
  type AccessQuestion,
  type CompiledPolicy,
  type ConditionContext,
  defaultKeyPolicy,
  ebsKeyPolicy,
  type Decision as PolicyDecision,
  evaluate,
  type Grant,
  kmsDenialMessage,
  kmsTagOnCreateDenialMessage,
  type KmsDetails,
  loadPolicy,
  lockoutCheck,
  PolicyError,
  renamePrincipals,
  type Principal as PolicyPrincipal,
  principalOf,
} from '@holdfast/iam';
import { refuse } from './errors.ts';
import { GRANT_OPERATIONS, type GrantConstraints, type GrantOperation } from './grant.events.ts';
import type { KeyKind } from './key-specs.ts';
import type { KeyManager, KeyOrigin, PrincipalIds, Tag } from './key.events.ts';
import type { Place } from './names.ts';

/** Every key has one policy, under this name. */
export const POLICY_NAME = 'default';

export interface ProtectedKey extends Place, KeyKind {
  readonly arn: KeyArn;
  readonly keyManager: KeyManager;
  readonly origin: KeyOrigin;
  readonly multiRegion: boolean;
  readonly primaryRegion: string;
  readonly tags: readonly Tag[];
  /** Null: the default policy. */
  readonly policy: string | null;
  readonly principalIds: PrincipalIds;
}

/** A grant on the key in question, as far as it decides. */
export interface ActiveGrant extends Grant {
  readonly operations: readonly GrantOperation[];
  readonly constraints: GrantConstraints | null;
}

/** What the caller's own side allows: its policies, and what limits them. */
export interface CallerPolicies {
  /** With the tags that its identity has. */
  readonly principal: PolicyPrincipal;
  readonly identityPolicies: AccessQuestion['identityPolicies'];
  readonly permissionsBoundary: NonNullable<AccessQuestion['permissionsBoundary']> | null;
  /** Undefined: not limited by a session. */
  readonly sessionPolicies: AccessQuestion['sessionPolicies'] | undefined;
}

export interface AccessRequest {
  /** IAM's action without `kms:`. */
  readonly action: string;
  readonly context: RequestContext;
  readonly at: Instant;
  readonly caller: CallerPolicies;
  /** Null: the action has no key (CreateKey, ListKeys, …). */
  readonly key: ProtectedKey | null;
  /** Where it is not the key: an alias's ARN, or of keys that are yet to be made the pattern of theirs. */
  readonly resource?: string;
  readonly details?: KmsDetails;
  /** Values of condition keys that the operation's parameters give. */
  readonly conditions?: ConditionContext;
}

export type Decision = (
  { readonly allowed: true; readonly grantId: string | null } | { readonly allowed: false; readonly message: string }
) & {
  /** What was looked at. */
  readonly because: PolicyDecision;
};

/** Whether asking for the key's grants can change the decision. */
export const grantsMatterTo = (action: string): boolean => (GRANT_OPERATIONS as readonly string[]).includes(action);

const USER_OR_ROLE = /^arn:aws:iam::\d{12}:(?:user|role)\//;

/** Whether a name is that of one user or role, which another can get once it has gone. */
export const namesIdentity = (name: string): boolean => USER_OR_ROLE.test(name);

/** The names under which grants may list this principal: unique ids, and ARNs in grants that know no ids. */
export const granteeNames = (caller: Principal): readonly string[] => {
  const principal = principalOf(caller);
  const names = new Set<string>([principal.arn]);
  if (principal.accountId !== null) names.add(`arn:aws:iam::${principal.accountId}:root`);
  if (principal.kind === 'user') names.add(principal.id);
  if (principal.kind === 'role-session') {
    names.add(principal.roleArn).add(principal.id.slice(0, principal.id.lastIndexOf(':')));
  }
  if (principal.kind === 'federated-user' && principal.userArn !== null) names.add(principal.userArn);
  if (principal.kind === 'federated-user' && principal.userId !== null) names.add(principal.userId);
  return [...names];
};

/** The role under which EC2's hosts act for instances: it is in no account's IAM, and has nothing but grants. */
const INFRASTRUCTURE_SESSION = /^arn:aws:sts::\d{12}:assumed-role\/aws:ec2-infrastructure\//;

export const isInfrastructureSession = (arn: string): boolean => INFRASTRUCTURE_SESSION.test(arn);

/** Whether identity knows the caller, and may know policies of it. */
export const hasIdentity = ({ type, arn }: Principal): boolean =>
  type !== 'Root' && type !== 'AWSService' && !isInfrastructureSession(arn);

/** Of callers that identity does not know. */
export const withoutPolicies = (caller: Principal): CallerPolicies => ({
  principal: principalOf(caller),
  identityPolicies: [],
  permissionsBoundary: null,
  sessionPolicies: undefined,
});

/** Of a caller that is no more: whatever names it, nothing is allowed to it. */
export const goneDenial = ({ arn }: Principal, action: string, resource: string): string =>
  `User: ${arn} is not authorized to perform: kms:${action} on resource: ${resource} because no identity-based policy ` +
  `allows the kms:${action} action`;

/** The policy that decides, as GetKeyPolicy shows it. */
export const keyPolicyText = (key: Pick<ProtectedKey, 'accountId' | 'region' | 'keyManager' | 'policy'>): string => {
  if (key.policy !== null) return key.policy;
  return key.keyManager === 'AWS' ? ebsKeyPolicy(key.accountId, key.region) : defaultKeyPolicy(key.accountId);
};

const MAX_COMPILED = 2000;
const compiled = new Map<string, CompiledPolicy<'key'>>();

/** Texts come back with every request; compiling one costs more than evaluating it. */
const compiledPolicy = (key: ProtectedKey): CompiledPolicy<'key'> => {
  const text = keyPolicyText(key);
  const ids = Object.entries(key.principalIds).flat();
  const name = ids.length === 0 ? text : [text, ...ids].join('\0'); // U+0000 is in no policy and in no name.
  const known = compiled.get(name);
  if (known !== undefined) return known;
  const policy = loadPolicy(renamePrincipals(text, key.principalIds), 'key');
  if (compiled.size >= MAX_COMPILED) compiled.clear();
  compiled.set(name, policy);
  return policy;
};

/** Condition keys that every operation on a key has. */
const keyConditions = (key: ProtectedKey): ConditionContext => ({
  'kms:KeySpec': key.keySpec,
  'kms:KeyUsage': key.keyUsage,
  'kms:KeyOrigin': key.origin,
  'kms:CustomerMasterKeySpec': key.keySpec,
  'kms:CustomerMasterKeyUsage': key.keyUsage,
  'kms:MultiRegion': key.multiRegion,
  ...(key.multiRegion ? { 'kms:MultiRegionKeyType': key.primaryRegion === key.region ? 'PRIMARY' : 'REPLICA' } : {}),
  ...Object.fromEntries(key.tags.map(({ TagKey, TagValue }) => [`aws:ResourceTag/${TagKey}`, TagValue])),
});

const questionOf = (asked: AccessRequest, grants: readonly Grant[]): AccessQuestion => {
  const { action, context, at, caller, key, resource, details, conditions } = asked;
  const isOther = resource !== undefined;
  return {
    request: {
      principal: caller.principal,
      action: `kms:${action}`,
      resource: resource ?? key?.arn ?? '*',
      region: context.region,
      at: new Date(at),
      sourceIp: context.sourceIp,
      userAgent: context.userAgent,
      ...(context.viaService === undefined ? {} : { viaService: context.viaService }),
      ...(details === undefined ? {} : { kms: details }),
      context: {
        'aws:TokenIssueTime': context.principal.tokenIssueTime,
        ...(key === null ? {} : keyConditions(key)),
        ...conditions,
      },
    },
    identityPolicies: caller.identityPolicies,
    permissionsBoundary: caller.permissionsBoundary,
    ...(caller.sessionPolicies === undefined ? {} : { sessionPolicies: caller.sessionPolicies }),
    // An alias has no policy of its own: identity-based policies decide, and the key's policy about the key. They alone
    // decide about keys that are yet to be made, too.
    resourcePolicy: key === null && isOther ? 'not-asked' : key === null || isOther ? null : compiledPolicy(key),
    resourceAccount: key === null ? null : key.accountId,
    grants: key === null || isOther ? [] : grants,
  };
};

/**
 * May this principal do this? Denies unless the key's policy, what it delegates to, or one of `grants` allows.
 * @param grants active ones of this key, at least all that name the principal and hold for the context; others do no harm.
 */
export const authorize = (request: AccessRequest, grants: readonly Grant[]): Decision => {
  const because = evaluate(questionOf(request, grants));
  if (!because.allowed) {
    const ofNewKey = request.key === null && request.resource !== undefined;
    const message = ofNewKey ? kmsTagOnCreateDenialMessage(because) : kmsDenialMessage(because);
    return { allowed: false, message, because };
  }
  const { deciding } = because;
  return { allowed: true, grantId: deciding?.source === 'grant' ? deciding.grantId : null, because };
};

/** Whether a key's aliases have to be looked up before its policies are asked. */
export const mentionsAliases = (key: ProtectedKey, { identityPolicies }: CallerPolicies): boolean =>
  identityPolicies.length > 0 || /kms:resourcealiases/i.test(key.policy ?? '');

const POLICY_CHARACTERS = /^[\t\n\r\u0020-\u00ff]+$/;

/**
 * Checks a policy that a caller wants to put on a key.
 * @param asked who puts it, on the key as it will be.
 * @param rules `bypass`: BypassPolicyLockoutSafetyCheck, the caller may lock itself out.
 * @throws DomainError MalformedPolicy | PolicyTooLong | Invalid
 */
export const checkPolicy = (
  policy: string,
  asked: AccessRequest,
  { bypass, policyBytes }: { bypass: boolean; policyBytes: number },
): void => {
  if (!POLICY_CHARACTERS.test(policy)) {
    const rule = 'Member must satisfy regular expression pattern: [\\u0009\\u000A\\u000D\\u0020-\\u00FF]+';
    refuse('Invalid', {
      message: `1 validation error detected: Value at 'policy' failed to satisfy constraint: ${rule}`,
    });
  }
  if (Buffer.byteLength(policy) > policyBytes) refuse('PolicyTooLong', { limitBytes: policyBytes });
  let admitted: CompiledPolicy<'key'>;
  try {
    admitted = admitPolicy(policy, 'key');
  } catch (error) {
    if (error instanceof PolicyError) return refuse('MalformedPolicy', { message: error.message });
    throw error;
  }
  if (bypass) return;
  const { request, resourcePolicy: _, grants: __, ...caller } = questionOf(asked, []);
  const check = lockoutCheck(admitted, { request, ...caller });
  if (!check.safe) refuse('MalformedPolicy', { message: check.message });
};
