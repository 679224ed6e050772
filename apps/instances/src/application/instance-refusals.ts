import { AwsError } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';

export const incorrectState = (instanceId: string, what: 'started' | 'stopped' | 'modified') =>
  new AwsError({
    code: 'IncorrectInstanceState',
    message: `The instance '${instanceId}' is not in a state from which it can be ${what}.`,
  });

export const terminationProtected = (instanceId: string) =>
  new AwsError({
    code: 'OperationNotPermitted',
    message: `The instance '${instanceId}' may not be terminated. Modify its 'disableApiTermination' instance attribute and try again.`,
  });

export const stopProtected = (instanceId: string) =>
  new AwsError({
    code: 'OperationNotPermitted',
    message: `The instance '${instanceId}' may not be stopped. Modify its 'disableApiStop' instance attribute and try again.`,
  });

export const notStopped = (instanceId: string) =>
  new AwsError({
    code: 'IncorrectInstanceState',
    message: `The instance '${instanceId}' is not in the 'stopped' state.`,
  });

export const notRunning = (instanceId: string) =>
  new AwsError({
    code: 'IncorrectInstanceState',
    message: `The instance '${instanceId}' is not in the 'running' state.`,
  });

/** What the request saw may have changed before it was decided: the decision's refusal is the same to the caller. */
export const refusedLate = (error: unknown, instanceId: string): unknown => {
  if (!(error instanceof DomainError)) return error;
  if (error.code === 'InstanceNotStartable') return incorrectState(instanceId, 'started');
  if (error.code === 'InstanceNotStoppable') return incorrectState(instanceId, 'stopped');
  if (error.code === 'InstanceNotStopped') return notStopped(instanceId);
  if (error.code === 'StopProtected') return stopProtected(instanceId);
  return error.code === 'TerminationProtected' ? terminationProtected(instanceId) : error;
};
