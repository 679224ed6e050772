export { type CallerPolicies, CallerPoliciesCache } from './caller-policies.ts';
