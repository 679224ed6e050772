import type { GrantElement } from './grants.ts';
import type { ConditionFault } from './evaluate-condition.ts';
import type { Effect } from './policy.ts';
import type { Reach } from './principal.ts';
import type { AccessRequest } from './request.ts';

/** The kinds of policy that AWS's denials name. `resource` is a key policy, a trust policy or any other resource's. */
export type PolicySide = 'identity' | 'resource' | 'boundary' | 'session';

/** The first element that failed, in the order in which they are looked at: action, resource, principal, conditions. */
export type StatementFailure =
  | { readonly element: 'Action' | 'NotAction' | 'Resource' | 'NotResource' | 'Principal' | 'NotPrincipal' }
  | {
      readonly element: 'Condition';
      readonly operator: string;
      readonly key: string;
      readonly wanted: readonly string[];
      /** Of the request; empty when it has none. */
      readonly given: readonly string[];
      readonly fault: ConditionFault;
    }
  /** A key policy has no say in who may retire a grant. */
  | { readonly element: 'RetireGrant' };

export interface StatementTrail {
  readonly source: 'statement';
  readonly side: PolicySide;
  /** Position among the policies of its side. */
  readonly policyIndex: number;
  readonly policyName: string | null;
  readonly statementIndex: number;
  readonly sid: string | null;
  readonly effect: Effect;
  readonly matched: boolean;
  /** Of a matched Allow that names principals. */
  readonly reach: Reach | null;
  readonly failed: StatementFailure | null;
}

export interface GrantTrail {
  readonly source: 'grant';
  readonly grantId: string;
  readonly matched: boolean;
  readonly reach: Reach | null;
  readonly failed: GrantElement | null;
}

/**
 * What decides without a policy. `root-user`: it may do everything in its account that nothing denies. `own-account-only`:
 * KMS does not offer the operation on other accounts' keys.
 */
export interface RuleTrail {
  readonly source: 'rule';
  readonly rule: 'root-user' | 'own-account-only';
  readonly matched: true;
}
export type TrailEntry = StatementTrail | GrantTrail | RuleTrail;

export type Reason =
  | { readonly kind: 'allowed'; readonly by: PolicySide | 'grant' | 'root-user' }
  | { readonly kind: 'explicit-deny'; readonly in: PolicySide }
  | { readonly kind: 'implicit-deny'; readonly missing: PolicySide };

export interface Decision {
  readonly allowed: boolean;
  readonly explicitDeny: boolean;
  readonly reason: Reason;
  readonly request: AccessRequest;
  /** Of the account that owns the resource; null when none does. */
  readonly resourceAccount: string | null;
  /** Every statement and grant looked at, in order. */
  readonly trail: readonly TrailEntry[];
  /** The entry of `trail` that decided; null when the decision is that nothing allows. */
  readonly deciding: TrailEntry | null;
  /** The sides that would have to allow as well, were nothing denied: the least set, in the order of evaluation. */
  readonly lacking: readonly PolicySide[];
}
