import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type ImageId, type RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { invalidParameterCombination, invalidParameterValue, isDeviceName, refuseParameters } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import { type BlockDevice, launchDevices, type RequestedDevice } from '../domain/block-devices.ts';
import { launchDevicesOf } from '../domain/image-devices.ts';
import type { InstanceType } from '../domain/instance-types.ts';
import type { ImageRow } from './image-ports.ts';

const invalid = (message: string) => new AwsError({ code: 'InvalidBlockDeviceMapping', message });

/** What CreateVolume is to be asked for a device. */
export const volumeRequest = (device: BlockDevice, availabilityZone: string): ec2.CreateVolumeRequest => ({
  AvailabilityZone: availabilityZone,
  SnapshotId: device.snapshotId,
  Size: device.sizeGiB,
  VolumeType: device.volumeType as ec2.VolumeType | undefined,
  Iops: device.iops,
  Throughput: device.throughputMiBps,
  VolumeInitializationRate: device.initializationRateMiBps,
  Encrypted: device.encrypted,
  KmsKeyId: device.kmsKeyId,
});

interface Asked {
  isRoot: boolean;
  type: InstanceType;
  input: Record<string, unknown>;
  throughImage: ImageId;
}

const tooManyAttachments = ({ maximumEbsAttachments }: InstanceType) =>
  new AwsError({
    code: 'AttachmentLimitExceeded',
    message: `You may attach up to ${String(maximumEbsAttachments)} devices for this instance type. Please use a larger instance size to attach more volumes.`,
  });

/** Which volumes an instance is launched with. A wrong key is none of its concerns: that shows when the volumes are made. */
export class RunBlockDevices {
  constructor(private readonly requests: Requests) {}

  /** @throws AwsError InvalidBlockDeviceMapping, and what CreateVolume refuses. */
  async run(
    mappings: readonly ec2.BlockDeviceMapping[],
    { image, type, availabilityZone }: { image: ImageRow; type: InstanceType; availabilityZone: string },
    context: RequestContext,
  ): Promise<BlockDevice[]> {
    const devices = merged(image, mappings.map(launchedDevice));
    if (devices.length > type.maximumEbsAttachments) throw tooManyAttachments(type);
    const planned: BlockDevice[] = [];
    for (const device of devices) {
      const isRoot = device.deviceName === image.rootDeviceName;
      const input = { ...volumeRequest(device, availabilityZone) };
      const encrypted = await this.check(device, { isRoot, type, input, throughImage: image.imageId }, context);
      // What encryption by default says now holds, though the volume is made later.
      planned.push(encrypted ? { ...device, encrypted } : device);
    }
    return planned;
  }

  /** @returns whether the volume is to be encrypted. */
  private async check(
    device: BlockDevice,
    { isRoot, type, input, throughImage }: Asked,
    context: RequestContext,
  ): Promise<boolean> {
    const { name, ebsEncryptionSupported } = type;
    const plan = await this.requests.call('volumes', 'PlanVolume', { input, throughImage }, context).catch((error) => {
      throw inWordsOfLaunch(error, device);
    });
    if (device.sizeGiB !== undefined && plan.snapshotSizeGiB !== null && device.sizeGiB < plan.snapshotSizeGiB)
      throw invalid(
        `Volume of size ${String(device.sizeGiB)}GB is smaller than snapshot '${device.snapshotId ?? ''}', expect size >= ${String(plan.snapshotSizeGiB)}GB`,
      );
    if (isRoot && (plan.volumeType === 'st1' || plan.volumeType === 'sc1'))
      throw new AwsError({
        code: 'BootForVolumeTypeUnsupported',
        message: `The volume type ${plan.volumeType} cannot be used for a boot volume.`,
      });
    if (plan.encrypted && !ebsEncryptionSupported)
      throw invalidParameterCombination(`Encrypted volumes are not supported by the instance type ${name}.`);
    return plan.encrypted;
  }
}

const inWordsOfLaunch = (error: unknown, { snapshotId }: BlockDevice): unknown =>
  error instanceof AwsError && error.code === 'InvalidSnapshot.NotFound'
    ? new AwsError({ code: error.code, message: `The snapshot '${snapshotId ?? ''}' does not exist.` })
    : error;

const merged = ({ devices, rootDeviceName }: ImageRow, requested: readonly RequestedDevice[]): BlockDevice[] => {
  try {
    return launchDevices(launchDevicesOf(devices), rootDeviceName, requested);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const device = String(error.details['device']);
    if (error.code === 'DeviceWithoutVolume')
      throw invalid(`Either snapshot ID or volume size must be provided for: ${device}`);
    if (error.code === 'RootDeviceSuppressed') throw invalid(`The root device ${device} cannot be suppressed`);
    throw invalid('Block device mapping contains a device name more than once');
  }
};

/** One entry of RunInstances' BlockDeviceMapping, which may say how fast its volume is to be initialized. */
const launchedDevice = ({ Ebs, ...mapping }: ec2.BlockDeviceMapping): RequestedDevice => {
  const { VolumeInitializationRate: initializationRateMiBps, ...ebs } = Ebs ?? {};
  return { ...requestedDevice({ ...mapping, Ebs: Ebs && ebs }), initializationRateMiBps };
};

/** One entry of an image's BlockDeviceMapping. @throws AwsError InvalidBlockDeviceMapping | InvalidParameterValue | UnsupportedOperation */
export const requestedDevice = ({
  DeviceName,
  Ebs,
  NoDevice,
  VirtualName,
}: ec2.BlockDeviceMapping): RequestedDevice => {
  refuseParameters({ VirtualName });
  if (DeviceName === undefined || DeviceName === '') throw invalid('Device name must be provided');
  if (!isDeviceName(DeviceName))
    throw invalidParameterValue(
      `Value (${DeviceName}) for parameter blockDeviceMapping is invalid. ${DeviceName} is not a valid EBS device name.`,
    );
  const { VolumeInitializationRate, OutpostArn, EbsCardIndex, AvailabilityZone, AvailabilityZoneId } = Ebs ?? {};
  refuseParameters({ VolumeInitializationRate, OutpostArn, AvailabilityZone, AvailabilityZoneId });
  // Card 0 is the one that every instance has, and what is meant without a word.
  refuseParameters({ EbsCardIndex: EbsCardIndex === 0 ? undefined : EbsCardIndex });
  return {
    deviceName: DeviceName,
    hasVolume: Ebs !== undefined,
    suppressed: NoDevice !== undefined,
    deleteOnTermination: Ebs?.DeleteOnTermination,
    snapshotId: Ebs?.SnapshotId === '' ? undefined : Ebs?.SnapshotId,
    sizeGiB: Ebs?.VolumeSize,
    volumeType: Ebs?.VolumeType,
    iops: Ebs?.Iops,
    throughputMiBps: Ebs?.Throughput,
    encrypted: Ebs?.Encrypted,
    kmsKeyId: Ebs?.KmsKeyId,
  };
};
