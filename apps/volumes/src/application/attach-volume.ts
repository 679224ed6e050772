import type { ec2 } from '@holdfast/aws-protocol';
import {
  AwsError,
  callerOf,
  type InstanceId,
  type InstanceRecord,
  type RequestContext,
  type VolumeId,
} from '@holdfast/contracts';
import { dryRunOperation, isDeviceName, isRootDevice, missingParameter, unsupportedOperation } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { VolumeState } from '../domain/volume-state.ts';
import { ownVolume } from './own-volume.ts';
import type { VolumeStreams, VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseInstanceId, parseVolumeId } from './volume-ids.ts';
import { wholeSeconds } from './whole-seconds.ts';

/** Left of the request's time for the answer to travel, in milliseconds. */
const ANSWER_MS = 250;

/**
 * Notes that the volume is being attached, which only one request can do, and waits while `FinishAttachment` does the work:
 * one path, whether this process lives to see its end or not. What takes longer than the request may is answered as well: who
 * was told to try again would find that the volume is in use.
 */
export class AttachVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly table: Pick<VolumeTable, 'volumesOf'>,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.AttachVolumeRequest>, context: RequestContext): Promise<ec2.VolumeAttachment> {
    const { volumeId, instanceId, device } = parse(input);
    const volume = await ownVolume(this.volumes, volumeId, context);
    const instance = await this.requests.call('instances', 'GetInstance', { instanceId }, context);
    if (instance === null) throw refusal('InstanceNotFound', { instanceId });
    if (input.DryRun === true) throw dryRunOperation();
    checkInstance(volumeId, volume, instance);
    await this.checkRoom(instance);
    if (isRootDevice(device)) throw refusal('DeviceInUse', { device });
    const at = this.clock.instant();
    const { hostId } = instance;
    const version = await this.volumes.handle(
      { type: 'AttachVolume', volumeId, instanceId, hostId, device, deleteOnTermination: false, isRoot: false, at },
      { caller: callerOf(context) },
    );
    await this.outcome(volumeId, instanceId, version, context);
    return {
      VolumeId: volumeId,
      InstanceId: instanceId,
      Device: device,
      State: 'attaching',
      AttachTime: wholeSeconds(at),
      DeleteOnTermination: false,
    };
  }

  /** Counted, not locked: requests that come in the same instant may pass the limit together. */
  private async checkRoom({ instanceId, maximumEbsAttachments: maximum }: InstanceRecord): Promise<void> {
    const attached = await this.table.volumesOf(instanceId);
    if (attached.length >= maximum) throw refusal('AttachmentLimitExceeded', { maximum });
  }

  private async outcome(
    volumeId: VolumeId,
    instanceId: InstanceId,
    version: number | null,
    context: RequestContext,
  ): Promise<void> {
    if (version === null) throw new Error(`attaching ${volumeId} was decided without an event`);
    const outcome = await this.volumes.attachmentOutcome(
      { volumeId, instanceId },
      version,
      context.deadlineMs - ANSWER_MS,
    );
    if (outcome === 'KeyUnusable') throw refusal('KeyRevoked', { volumeId });
    if (outcome === 'InstanceNotRunning') throw refusal('InstanceNotRunning', { instanceId });
  }
}

const parse = ({ VolumeId, InstanceId, Device, EbsCardIndex }: Partial<ec2.AttachVolumeRequest>) => {
  if (VolumeId === undefined || VolumeId === '') throw missingParameter('VolumeId');
  if (InstanceId === undefined || InstanceId === '') throw missingParameter('InstanceId');
  if (Device === undefined || Device === '') throw missingParameter('Device');
  if (EbsCardIndex !== undefined && EbsCardIndex !== 0)
    throw unsupportedOperation('The parameter EbsCardIndex is not supported.');
  const volumeId = parseVolumeId(VolumeId);
  if (volumeId === null)
    throw new AwsError({
      code: 'InvalidVolumeID.Malformed',
      message: `Invalid id: "${VolumeId}" (expecting "vol-...")`,
    });
  const instanceId = parseInstanceId(InstanceId);
  if (instanceId === null) throw refusal('InstanceIdMalformed', { instanceId: InstanceId });
  if (!isDeviceName(Device)) throw refusal('DeviceNameInvalid', { device: Device });
  return { volumeId, instanceId, device: Device };
};

const checkInstance = (
  volumeId: VolumeId,
  { created, configuration }: VolumeState & { created: NonNullable<VolumeState['created']> },
  { instanceId, state, availabilityZone, instanceType, hypervisor, ebsEncryptionSupported }: InstanceRecord,
): void => {
  // The devices of a stopped instance open when it starts.
  if (state !== 'running' && state !== 'stopped') throw refusal('InstanceNotRunning', { instanceId });
  if (availabilityZone !== created.availabilityZone) throw refusal('ZoneMismatch', { volumeId, instanceId });
  if (configuration?.multiAttachEnabled === true && hypervisor !== 'nitro')
    throw refusal('MultiAttachInstanceTypeUnsupported', { instanceType });
  if (created.encryption !== null && !ebsEncryptionSupported)
    throw refusal('EncryptionNotSupportedByInstanceType', { instanceType });
};
