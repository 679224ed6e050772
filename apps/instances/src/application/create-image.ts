import type { ec2 } from '@holdfast/aws-protocol';
import {
  AwsError,
  type AttachmentRecord,
  callerOf,
  newImageId,
  newSnapshotId,
  type RequestContext,
} from '@holdfast/contracts';
import { dryRunOperation, refuseParameters } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { createdDevices } from '../domain/image-devices.ts';
import type { ImageCreationStarted, ImageTraits } from '../domain/image.events.ts';
import { inEc2sWords } from './image-refusals.ts';
import { checkedDescription, checkedName, type ImageRequests, tagsOfImage } from './image-requests.ts';
import type { MakeImage } from './make-image.ts';
import { ownInstance } from './own-instance.ts';
import type { Attachments, InstanceRow, InstanceTable } from './ports.ts';
import { requestedDevice } from './run-block-devices.ts';

/**
 * An image of an instance's volumes as they are now: when this answers, each volume's point in time is fixed on disk. Nothing
 * boots, so that nothing is rebooted either.
 */
export class CreateImage {
  constructor(
    private readonly images: ImageRequests,
    private readonly instances: InstanceTable,
    private readonly attachments: Attachments,
    private readonly makeImage: MakeImage,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.CreateImageRequest>, context: RequestContext): Promise<ec2.CreateImageResult> {
    const { SnapshotLocation, BootModeOverride, BlockDeviceMappings = [] } = input;
    refuseParameters({ SnapshotLocation, BootModeOverride });
    const name = checkedName(input.Name);
    const description = checkedDescription(input.Description);
    const { tags, snapshotTags } = tagsOfImage(input.TagSpecifications);
    const requested = BlockDeviceMappings.map(requestedDevice);
    const instance = await ownInstance(this.instances, input.InstanceId, context);
    const rootDeviceName = checkedRoot(instance);
    const attached = await this.attached(instance, context);
    const ofVolumes = attached.map(({ device }) => device);
    const devices = inEc2sWords(() => createdDevices(ofVolumes, rootDeviceName, requested));
    const kept = new Set(devices.map(({ deviceName }) => deviceName));
    await this.images.checkNameIsFree(name, context);
    if (input.DryRun === true) throw dryRunOperation();
    const { accountId: ownerId, region } = context;
    const { instanceId } = instance;
    const started: Omit<ImageCreationStarted, 'type'> = {
      ...{ imageId: newImageId(), ownerId, region, name, description, rootDeviceName, tags, instanceId, snapshotTags },
      ...(await this.traits(instance, context)),
      devices,
      snapshots: attached
        .filter(({ device: { deviceName } }) => kept.has(deviceName))
        .map(({ device: { snapshotId }, volumeId }) => ({ snapshotId, volumeId })),
      at: this.clock.instant(),
    };
    await this.images.start({ type: 'CreateImage', ...started }, context);
    // What goes wrong with a snapshot fails the image, later and for whoever looks at it.
    await this.makeImage.begin({ type: 'ImageCreationStarted', ...started }, callerOf(context)).catch(() => undefined);
    return { ImageId: started.imageId };
  }

  /** Of the image that the instance was launched from, as long as that is known. */
  private async traits({ imageId, architecture }: InstanceRow, context: RequestContext): Promise<ImageTraits> {
    const image = await this.images.table.byId(imageId, context);
    return image?.traits ?? { architecture, virtualizationType: 'hvm' };
  }

  private async attached(instance: InstanceRow, context: RequestContext) {
    const attachments = await this.attachments.of([instance.instanceId], context);
    const VolumeIds = attachments.map(({ volumeId }) => volumeId);
    if (VolumeIds.length === 0) throw rootMissing(instance.instanceId);
    const action = 'DescribeVolumes';
    const { Volumes = [] } = await this.requests.request<ec2.DescribeVolumesResult>('volumes', action, { VolumeIds }, context); // prettier-ignore
    const volumes = new Map(Volumes.map((volume) => [volume.VolumeId, volume]));
    if (!attachments.some(({ device }) => device === instance.rootDeviceName)) throw rootMissing(instance.instanceId);
    return attachments
      .map((attachment) => imageDevice(attachment, volumes.get(attachment.volumeId)))
      .sort((a, b) => rank(a, instance) - rank(b, instance) || (a.device.deviceName < b.device.deviceName ? -1 : 1));
  }
}

const imageDevice = ({ device, volumeId, deleteOnTermination }: AttachmentRecord, volume: ec2.Volume = {}) => ({
  volumeId,
  device: {
    deviceName: device,
    deleteOnTermination,
    snapshotId: newSnapshotId(),
    sizeGiB: volume.Size,
    volumeType: volume.VolumeType,
    ...(volume.VolumeType?.startsWith('io') || volume.VolumeType === 'gp3' ? { iops: volume.Iops } : {}),
    ...(volume.VolumeType === 'gp3' ? { throughputMiBps: volume.Throughput } : {}),
    encrypted: volume.Encrypted === true,
    keyArn: volume.Encrypted === true ? volume.KmsKeyId : undefined,
  },
});

/** The root device comes first. */
const rank = ({ device }: { device: { deviceName: string } }, { rootDeviceName }: InstanceRow) =>
  device.deviceName === rootDeviceName ? 0 : 1;

const rootMissing = (instanceId: string) =>
  new AwsError({ code: 'IncorrectState', message: `The instance '${instanceId}' has no root volume attached.` });

/** @throws AwsError IncorrectState */
const checkedRoot = ({ instanceId, state, rootDeviceName }: InstanceRow): string => {
  if (state !== 'running' && state !== 'stopped' && state !== 'stopping')
    throw new AwsError({
      code: 'IncorrectState',
      message: `The instance '${instanceId}' is not in the 'running' or 'stopped' state.`,
    });
  if (rootDeviceName === null) throw rootMissing(instanceId);
  return rootDeviceName;
};
