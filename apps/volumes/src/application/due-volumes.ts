import { randomUUID } from 'node:crypto';
import type { Caller } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { DueVolume, RecycledVolumes, VolumeStreams } from './ports.ts';

/** Done in one go; the rest is done in the next. */
const BATCH = 100;
const SERVICE = 'ec2.amazonaws.com';

/** On nobody's request: as EC2 itself, in the volume's account and Region. */
const ownCaller = ({ accountId, region }: DueVolume): Caller => ({
  requestId: randomUUID(),
  accountId,
  region,
  principal: { type: 'AWSService', arn: SERVICE, accountId, principalId: SERVICE },
  sourceIp: SERVICE,
  userAgent: SERVICE,
});

/**
 * Lets volumes leave the Recycle Bin whose time there is over, also what came due while nothing ran. Repeats safely: each
 * volume's history decides again. One volume's failure keeps no other waiting, and is tried again with the next call.
 */
export class DueVolumes {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly table: RecycledVolumes,
    private readonly clock: Clock,
  ) {}

  async run(onError: (error: unknown, volumeId: string) => void): Promise<void> {
    const at = this.clock.instant();
    for (const due of await this.table.due(at, BATCH)) {
      const { volumeId } = due;
      await this.volumes
        .handle({ type: 'LeaveBin', volumeId, at }, { caller: ownCaller(due) })
        .catch((error: unknown) => onError(error, volumeId));
    }
  }
}
