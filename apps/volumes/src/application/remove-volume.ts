import type { VolumeId } from '@holdfast/contracts';
import { AwsError } from '@holdfast/contracts';
import { ebsServiceContext } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { deadline } from './deadline.ts';
import type { Cause, VolumeStreams } from './ports.ts';

/** How soon to try again while the volume's device is still open, in milliseconds. */
const RETRY_MS = 500;

/** Reacts to VolumeDeletionStarted: the volume's files go, then the volume. */
export class RemoveVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(volumeId: VolumeId, cause: Cause): Promise<{ retryAfterMs: number } | undefined> {
    const { status } = await this.volumes.load(volumeId);
    if (status !== 'deleting') return undefined;
    try {
      await this.requests.call('data-plane', 'RemoveVolume', { volumeId }, ebsServiceContext(cause.caller, deadline()));
    } catch (error) {
      if (error instanceof AwsError && error.code === 'VolumeBusy') return { retryAfterMs: RETRY_MS };
      throw error;
    }
    await this.volumes.handle({ type: 'CompleteDeletion', volumeId, at: this.clock.instant() }, cause);
    return undefined;
  }
}
