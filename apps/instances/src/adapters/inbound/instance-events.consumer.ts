import type { ConsumerOptions, DeliveredEvent } from '@holdfast/messaging';
import type { CompleteTransitions } from '../../application/complete-transitions.ts';
import type { LaunchReserved } from '../../application/launch-reserved.ts';
import type { InstanceEvent } from '../../domain/instance.events.ts';
import type { InstancesReserved } from '../../domain/reservation.events.ts';

/** Instances that are looked after at once. */
const CONCURRENCY = 32;
/** How soon another process goes on when one falls silent, in milliseconds. Each step may be taken twice. */
const ACK_WAIT_MS = 5_000;

/** The process manager of instances: what a request began is completed here, also when the request's process died. */
export const instanceLifecycle = (
  launchReserved: LaunchReserved,
  complete: CompleteTransitions,
): Omit<ConsumerOptions, 'owner'> => ({
  name: 'instance-lifecycle',
  source: 'instances',
  concurrency: CONCURRENCY,
  ackWaitMs: ACK_WAIT_MS,
  handlers: {
    InstancesReserved: ({ data, metadata }: DeliveredEvent<InstancesReserved>) =>
      launchReserved.run(data, metadata.caller),
    InstanceLaunched: ({ data, metadata }: DeliveredEvent<InstanceEvent>) =>
      complete.launch(data.instanceId, metadata.caller),
    InstanceLaunchFailed: ({ data, metadata }: DeliveredEvent<InstanceEvent>) =>
      complete.termination(data.instanceId, metadata.caller),
    InstanceStartRequested: ({ data, metadata }: DeliveredEvent<InstanceEvent>) =>
      complete.start(data.instanceId, metadata.caller),
    InstanceStopStarted: ({ data, metadata }: DeliveredEvent<InstanceEvent>) =>
      complete.stop(data.instanceId, metadata.caller),
    InstanceTerminationStarted: ({ data, metadata }: DeliveredEvent<InstanceEvent>) =>
      complete.termination(data.instanceId, metadata.caller),
  },
});
