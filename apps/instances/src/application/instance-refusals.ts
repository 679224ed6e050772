import { AwsError } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';

export const incorrectState = (instanceId: string, what: 'started' | 'stopped') =>
  new AwsError({
    code: 'IncorrectInstanceState',
    message: `The instance '${instanceId}' is not in a state from which it can be ${what}.`,
  });

export const terminationProtected = (instanceId: string) =>
  new AwsError({
    code: 'OperationNotPermitted',
    message: `The instance '${instanceId}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
  });

/** What the request saw may have changed before it was decided: the decision's refusal is the same to the caller. */
export const refusedLate = (error: unknown, instanceId: string): unknown => {
  if (!(error instanceof DomainError)) return error;
  if (error.code === 'InstanceNotStartable') return incorrectState(instanceId, 'started');
  if (error.code === 'InstanceNotStoppable') return incorrectState(instanceId, 'stopped');
  return error.code === 'TerminationProtected' ? terminationProtected(instanceId) : error;
};
