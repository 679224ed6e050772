import type { VolumeId } from '@holdfast/contracts';
import { AwsError } from '@holdfast/contracts';
import { ebsServiceContext, type EbsKeys } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { deadline } from './deadline.ts';
import type { Cause, VolumeStreams } from './ports.ts';

/** How soon to try again while the volume's device is still open, in milliseconds. */
const RETRY_MS = 500;

/** Reacts to VolumeDeletionStarted: the volume's files go, then EBS's grant, then the volume. */
export class RemoveVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly keys: EbsKeys,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(volumeId: VolumeId, cause: Cause): Promise<{ retryAfterMs: number } | undefined> {
    const { status, dataKey, grantId } = await this.volumes.load(volumeId);
    if (status !== 'deleting') return undefined;
    const context = ebsServiceContext(cause.caller, deadline());
    try {
      await this.requests.call('data-plane', 'RemoveVolume', { volumeId }, context);
    } catch (error) {
      if (error instanceof AwsError && error.code === 'VolumeBusy') return { retryAfterMs: RETRY_MS };
      throw error;
    }
    if (dataKey !== null && grantId !== null) await this.keys.retireGrant(dataKey.keyArn, grantId, context);
    await this.volumes.handle({ type: 'CompleteDeletion', volumeId, at: this.clock.instant() }, cause);
    return undefined;
  }
}
