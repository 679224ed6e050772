import { randomUUID } from 'node:crypto';
import { operations, type ParsedRequest } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { type DecisionRecord, denialMessage, type JointDecision, policyStep, resourcesNamedIn } from '@holdfast/iam';

/** A call on more resources than this is shown with the last ones that were looked at. */
const MAX_STEPS = 16;

/** What only reads changes nothing, and of blocks of data there are very many. */
export const isKeptWhenAllowed = ({ service, operation }: Pick<ParsedRequest, 'service' | 'operation'>): boolean =>
  operations(service).get(operation)?.readOnly !== true && operation !== 'PutSnapshotBlock';

/**
 * What is kept of the decision on a call: nothing after the first resource that is denied was needed for it.
 * @param code of the refusal; null when the call is allowed.
 */
export const decisionRecord = (
  { service, operation, input }: ParsedRequest,
  { allowed, decision, decisions }: JointDecision,
  context: RequestContext,
  at: Date,
  code: string | null,
): DecisionRecord => {
  const { requestId, accountId, region, principal, viaService = null } = context;
  const deciding = decisions.slice(0, decisions.indexOf(decision) + 1);
  return {
    decisionId: randomUUID(),
    ...{ requestId, at: at.toISOString(), service, operation, accountId, region },
    ...{ principalArn: principal.arn, viaService, allowed },
    // Without the encoded message that EC2 adds: the steps say the same.
    refusal: code === null ? null : { code, message: denialMessage(decision) },
    resources: resourcesNamedIn(
      decisions.map(({ request }) => request.resource),
      input,
    ),
    steps: deciding.slice(-MAX_STEPS).map(policyStep),
  };
};
