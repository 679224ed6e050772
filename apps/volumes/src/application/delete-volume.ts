import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext, type VolumeId } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterValue } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { ownVolume } from './own-volume.ts';
import { retentionOf } from './retention.ts';
import type { VolumeStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

/** Answers when the volume is `deleting`, and its files go afterwards; or when it is in the Recycle Bin. */
export class DeleteVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.DeleteVolumeRequest>, context: RequestContext): Promise<Record<string, never>> {
    const volumeId = await this.check(input, context);
    if (input.DryRun === true) throw dryRunOperation();
    const retentionDays = await retentionOf(await this.volumes.load(volumeId), this.requests, context);
    const command = { type: 'DeleteVolume', volumeId, retentionDays, at: this.clock.instant() } as const;
    await this.volumes.handle(command, { caller: callerOf(context) });
    return {};
  }

  /** What comes before the caller's permissions. @throws as `run` does. */
  async check(input: Partial<ec2.DeleteVolumeRequest>, context: RequestContext): Promise<VolumeId> {
    if (input.VolumeId === undefined || input.VolumeId === '')
      throw new AwsError({
        code: 'MissingParameter',
        message: 'The request must include the VolumeId parameter. Add the required parameter and retry the request.',
      });
    const volumeId = parseVolumeId(input.VolumeId);
    if (volumeId === null) throw invalidParameterValue(`The volume ID '${input.VolumeId}' is malformed`);
    const { status } = await ownVolume(this.volumes, volumeId, context);
    if (status === 'deleting') throw refusal('VolumeNotFound', { volumeId });
    return volumeId;
  }
}
