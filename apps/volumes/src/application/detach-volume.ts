import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type InstanceId, type RequestContext, type VolumeId } from '@holdfast/contracts';
import { dryRunOperation, missingParameter } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { attachmentOf } from '../domain/volume-state.ts';
import { ownVolume } from './own-volume.ts';
import type { VolumeStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseInstanceId, parseVolumeId } from './volume-ids.ts';
import { wholeSeconds } from './whole-seconds.ts';

/**
 * Answers when the volume is `detaching`; its device closes afterwards. `Force` asks for what is done in any case: the device
 * closes whether or not the guest has let go of it.
 */
export class DetachVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.DetachVolumeRequest>, context: RequestContext): Promise<ec2.VolumeAttachment> {
    const { VolumeId, InstanceId, Device: device } = input;
    if (VolumeId === undefined || VolumeId === '') throw missingParameter('VolumeId');
    const volumeId = parseVolumeId(VolumeId);
    if (volumeId === null)
      throw new AwsError({
        code: 'InvalidVolumeID.Malformed',
        message: `Invalid id: "${VolumeId}" (expecting "vol-...")`,
      });
    const instanceId = InstanceId === undefined ? undefined : parseInstanceId(InstanceId);
    if (instanceId === null) throw refusal('InstanceIdMalformed', { instanceId: InstanceId });
    const state = await ownVolume(this.volumes, volumeId, context);
    const attachment = instanceId === undefined ? state.attachments[0] : attachmentOf(state, instanceId);
    if (input.DryRun === true) throw dryRunOperation();
    if (attachment?.isRoot === true) await this.checkStopped(volumeId, attachment.instanceId, context);
    const command = { type: 'DetachVolume', volumeId, instanceId, device, at: this.clock.instant() } as const;
    await this.volumes.handle(command, { caller: callerOf(context) });
    return {
      VolumeId: volumeId,
      InstanceId: attachment?.instanceId,
      Device: attachment?.device,
      State: 'detaching',
      AttachTime: attachment ? wholeSeconds(attachment.startedAt) : undefined,
      DeleteOnTermination: attachment?.deleteOnTermination,
    };
  }

  /** Nothing runs without its root device. */
  private async checkStopped(volumeId: VolumeId, instanceId: InstanceId, context: RequestContext): Promise<void> {
    const instance = await this.requests.call('instances', 'GetInstance', { instanceId }, context);
    if (instance !== null && instance.state !== 'stopped') throw refusal('RootVolumeInUse', { volumeId, instanceId });
  }
}
