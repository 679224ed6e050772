import type { Caller, InstanceId } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { InstanceStreams } from './ports.ts';

/** Nothing boots and nothing shuts down, so what has begun is completed as soon as it is noticed. */
export class CompleteTransitions {
  constructor(
    private readonly instances: InstanceStreams,
    private readonly clock: Clock,
  ) {}

  start(instanceId: InstanceId, caller: Caller): Promise<void> {
    return this.instances.handle({ type: 'CompleteStart', instanceId, at: this.clock.instant() }, caller);
  }

  termination(instanceId: InstanceId, caller: Caller): Promise<void> {
    return this.instances.handle({ type: 'CompleteTermination', instanceId, at: this.clock.instant() }, caller);
  }
}
