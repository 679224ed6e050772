import type { InstanceId } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { Cause, VolumeStreams, VolumeTable } from './ports.ts';

/** Reacts to an instance's end: what it held is detached, and deleted where that was agreed at its attachment. */
export class ReleaseFromInstance {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly table: VolumeTable,
    private readonly clock: Clock,
  ) {}

  async run(instanceId: InstanceId, cause: Cause): Promise<void> {
    for (const volumeId of await this.table.volumesOf(instanceId)) {
      const at = this.clock.instant();
      await this.volumes.handle({ type: 'ReleaseFromInstance', volumeId, instanceId, at }, cause);
    }
  }
}
