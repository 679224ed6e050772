export { type CallerPolicies, CallerPoliciesCache } from './caller-policies.ts';
export { DecisionLog } from './decision-log.ts';
export { type DecidedCall, decisionRecord, ruleRecord } from './decision-record.ts';
