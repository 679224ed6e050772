import type { Caller } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { InstancesReserved } from '../domain/reservation.events.ts';
import type { InstanceStreams } from './ports.ts';

/** Launches what was reserved and is not there yet. Called with the request, and again for the event, should that have died. */
export class LaunchReserved {
  constructor(private readonly instances: InstanceStreams) {}

  async run({ launches }: InstancesReserved, caller: Caller): Promise<void> {
    for (const launch of launches) {
      try {
        await this.instances.handle({ type: 'LaunchInstance', ...launch }, caller);
      } catch (error) {
        if (!(error instanceof DomainError) || error.code !== 'InstanceAlreadyExists') throw error;
      }
    }
  }
}
