export { type AuthorizationMessage, authorizationMessage, authorizationMessageText } from './authorization-message.ts';
export { admitPolicy, type CompiledPolicy, compilePolicy, loadPolicy } from './compile-policy.ts';
export { CONDITION_KEYS, type ConditionKey, conditionKey, type ConditionKeyType } from './condition-keys.ts';
export type {
  Decision,
  GrantTrail,
  PolicySide,
  Reason,
  RuleTrail,
  StatementFailure,
  StatementTrail,
  TrailEntry,
} from './decision.ts';
export {
  type DecisionRecord,
  type DecisionStep,
  type PolicyStep,
  policyStep,
  resourcesNamedIn,
} from './decision-record.ts';
export {
  denialMessage,
  ebsDenialMessage,
  ec2DenialMessage,
  kmsDenialMessage,
  kmsTagOnCreateDenialMessage,
  kmsForeignDenialMessage,
  stsDenialMessage,
} from './denial.ts';
export { type AccessQuestion, evaluate, evaluateEach, type JointDecision, type Target } from './evaluate.ts';
export type { ConditionFault } from './evaluate-condition.ts';
export {
  atLeastAsStrict,
  type Grant,
  GRANT_OPERATIONS,
  type GrantConstraints,
  type GrantElement,
  type NewGrant,
} from './grants.ts';
export { defaultKeyPolicy, ebsKeyPolicy } from './key-policies.ts';
export { type LockoutCaller, type LockoutCheck, lockoutCheck } from './lockout-check.ts';
export { parsePolicy, readStoredPolicy } from './parse-policy.ts';
export {
  type ConditionClause,
  type Effect,
  type IdentityKind,
  MAX_KEY_POLICY_BYTES,
  type Policy,
  POLICY_SIZE_LIMITS,
  PolicyError,
  type PolicyFault,
  type PolicyKind,
  policySize,
  type PolicyVersion,
  type PrincipalList,
  type ResourceKind,
  type Statement,
} from './policy.ts';
export { type PolicyWarning, policyWarnings } from './policy-warnings.ts';
export {
  awsService,
  type FederatedUser,
  federatedUser,
  type Principal,
  principalOf,
  type Reach,
  type RoleSession,
  roleSession,
  rootArn,
  type RootUser,
  rootUser,
  type ServicePrincipal,
  type Tags,
  type User,
  user,
} from './principal.ts';
export { principalsOf } from './principals-of.ts';
export { renamePrincipals } from './rename-principals.ts';
export type { AccessRequest, ConditionContext, ContextValue, KmsDetails } from './request.ts';
export { type PolicyChange, type SmallestChange, smallestChange, type StatementDocument } from './smallest-change.ts';
