import { randomUUID } from 'node:crypto';
import type { RequestContext } from '@holdfast/contracts';
import { type DecisionRecord, denialMessage, type JointDecision, policyStep, resourcesNamedIn } from '@holdfast/iam';

/** A call on more resources than this is shown with the last ones that were looked at. */
const MAX_STEPS = 16;

/** A call of an API as its decision is about it. */
export interface DecidedCall {
  /** As in the endpoint's name: `ec2`, `sts`, … */
  readonly service: string;
  readonly operation: string;
  readonly input: unknown;
  readonly context: RequestContext;
  readonly at: Date;
}

const common = ({ service, operation, context, at }: DecidedCall) => {
  const { requestId, accountId, region, principal, viaService = null } = context;
  return {
    decisionId: randomUUID(),
    ...{ requestId, at: at.toISOString(), service, operation, accountId, region },
    ...{ principalArn: principal.arn, viaService },
  };
};

/**
 * What is kept of the decision on a call: nothing after the first resource that is denied was needed for it.
 * @param code of the refusal; null when the call is allowed.
 */
export const decisionRecord = (
  call: DecidedCall,
  { allowed, decision, decisions }: JointDecision,
  code: string | null,
): DecisionRecord => {
  const deciding = decisions.slice(0, decisions.indexOf(decision) + 1);
  const arns = decisions.map(({ request }) => request.resource);
  return {
    ...common(call),
    allowed,
    // Without the encoded message that EC2 adds: the steps say the same.
    refusal: code === null ? null : { code, message: denialMessage(decision) },
    resources: resourcesNamedIn(arns, call.input),
    steps: deciding.slice(-MAX_STEPS).map(policyStep),
  };
};

/** Of a call that is refused before any policy is looked at. @param reason what the caller may not be told. */
export const ruleRecord = (
  call: DecidedCall,
  refusal: { code: string; message: string },
  reason: string,
): DecisionRecord => ({
  ...common(call),
  allowed: false,
  // Member by member: an error's own message is lost when it is sent as JSON.
  refusal: { code: refusal.code, message: refusal.message },
  resources: resourcesNamedIn(call.input),
  steps: [{ step: 'rule', code: refusal.code, message: reason }],
});
