/**
 * What a policy is attached to. `identity`: inline on a user, group or role; `managed`: a managed policy, attached or used
 * as a permissions boundary; `boundary`, `session`: as their names say; `key`: KMS key policy; `trust`: a role's trust
 * policy; `resource`: any other resource's policy.
 */
export type PolicyKind = IdentityKind | ResourceKind;
/** Without a principal: whoever it is attached to. */
export type IdentityKind = 'identity' | 'managed' | 'boundary' | 'session';
/** Names its principals. */
export type ResourceKind = 'key' | 'trust' | 'resource';

export const isResourceKind = (kind: PolicyKind): kind is ResourceKind =>
  kind === 'key' || kind === 'trust' || kind === 'resource';

export type Effect = 'Allow' | 'Deny';
export type PolicyVersion = '2008-10-17' | '2012-10-17';

/** Patterns of Action or Resource; `not`: of NotAction or NotResource. */
export interface PatternList {
  readonly not: boolean;
  readonly patterns: readonly string[];
}

export interface PrincipalList {
  /** NotPrincipal. */
  readonly not: boolean;
  /** `*` or `{"AWS": "*"}`. */
  readonly everyone: boolean;
  /** Account ids (root ARNs are brought to this form), ARNs and unique ids of users and roles, sessions. */
  readonly aws: readonly string[];
  readonly service: readonly string[];
  readonly federated: readonly string[];
}

/** One key under one operator: all clauses of a statement must hold, of `values` one. */
export interface ConditionClause {
  readonly operator: string;
  readonly key: string;
  readonly values: readonly string[];
}

export interface Statement {
  readonly sid: string | null;
  readonly effect: Effect;
  /** Null in identity-based policies. */
  readonly principals: PrincipalList | null;
  readonly actions: PatternList;
  /** Null in trust policies (the role itself), and in key policies, where the statement then has no effect. */
  readonly resources: PatternList | null;
  readonly conditions: readonly ConditionClause[];
}

export interface Policy<Kind extends PolicyKind = PolicyKind> {
  readonly kind: Kind;
  readonly version: PolicyVersion;
  readonly id: string | null;
  readonly statements: readonly Statement[];
}

export type PolicyFault = 'Malformed' | 'TooLarge';

/** The one error of parsing. A service maps `code` to its API's: MalformedPolicyDocument(Exception), LimitExceeded(Exception), … */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
  /**
   * @param message in AWS's words, where they are known.
   * @param path where, e.g. `Statement[1].Condition.StringEqual`; empty for the whole document.
   * @param detail what is wrong there, for whoever has to mend it.
   */
  constructor(
    readonly code: PolicyFault,
    message: string,
    readonly path: string,
    readonly detail: string,
  ) {
    super(message);
  }
}

/** The longest policy that any API takes. @see KMS API reference, PutKeyPolicy */
export const MAX_POLICY_CHARACTERS = 131_072;

/** Bytes of a key policy. @see KMS developer guide, Resource quotas */
export const MAX_KEY_POLICY_BYTES = 32_768;

/**
 * Characters without white space. Inline policies are limited in sum per principal: the owner of the sum checks those.
 * @see IAM user guide, IAM and STS character limits
 */
export const POLICY_SIZE_LIMITS = {
  userInlineTotal: 2_048,
  groupInlineTotal: 5_120,
  roleInlineTotal: 10_240,
  managed: 6_144,
  session: 2_048,
  trust: 2_048,
} as const;

const WHITE_SPACE: ReadonlySet<string> = new Set([' ', '\t', '\n', '\r']);

/** Characters that count against `POLICY_SIZE_LIMITS`. */
export const policySize = (text: string): number => {
  let size = 0;
  for (let at = 0; at < text.length; at += 1) if (!WHITE_SPACE.has(text.charAt(at))) size += 1;
  return size;
};
