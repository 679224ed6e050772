export { type CallerPolicies, CallerPoliciesCache } from './caller-policies.ts';
export { DecisionLog } from './decision-log.ts';
