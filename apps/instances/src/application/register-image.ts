import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, newImageId, type RequestContext, snapshotId as toSnapshotId } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterValue, missingParameter, refuseParameters } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { registeredDevices } from '../domain/image-devices.ts';
import type { ImageDevice } from '../domain/image.events.ts';
import { inEc2sWords } from './image-refusals.ts';
import { checkedDescription, checkedName, type ImageRequests, tagsOfImage, traitsOf } from './image-requests.ts';
import { requestedDevice, volumeRequest } from './run-block-devices.ts';

/** An image of snapshots that the caller may use; it is available at once. */
export class RegisterImage {
  constructor(
    private readonly images: ImageRequests,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.RegisterImageRequest>, context: RequestContext): Promise<ec2.RegisterImageResult> {
    const { ImageLocation, BillingProducts, UefiData, KernelId, RamdiskId, BlockDeviceMappings = [] } = input;
    refuseParameters({ ImageLocation, BillingProducts, UefiData, KernelId, RamdiskId });
    const name = checkedName(input.Name);
    const description = checkedDescription(input.Description);
    const traits = traitsOf(input);
    const { tags, snapshotTags } = tagsOfImage(input.TagSpecifications);
    if (Object.keys(snapshotTags).length > 0)
      throw invalidParameterValue(`'snapshot' is not a valid taggable resource type for this operation.`);
    const rootDeviceName = input.RootDeviceName ?? '';
    if (rootDeviceName === '') throw missingParameter('rootDeviceName');
    const requested = BlockDeviceMappings.map(requestedDevice);
    const parsed = inEc2sWords(() => registeredDevices(rootDeviceName, requested));
    const devices: ImageDevice[] = [];
    for (const { device, snapshotId } of parsed) devices.push(await this.checked(device, snapshotId, context));
    await this.images.checkNameIsFree(name, context);
    if (input.DryRun === true) throw dryRunOperation();
    const { accountId: ownerId, region } = context;
    const imageId = newImageId();
    const basics = { imageId, ownerId, region, name, description, rootDeviceName, devices, tags };
    await this.images.start({ type: 'RegisterImage', ...basics, ...traits, at: this.clock.instant() }, context);
    return { ImageId: imageId };
  }

  /** The device as the image keeps it: with what its snapshot says of size and encryption. */
  private async checked(device: ImageDevice, id: string | null, context: RequestContext): Promise<ImageDevice> {
    const snapshot = id === null ? null : await this.snapshot(id, context);
    const { sizeGiB, volumeType } = device;
    const keyArn = snapshot?.dataKey?.keyArn;
    if (snapshot !== null && sizeGiB !== undefined && sizeGiB < snapshot.volumeSizeGiB)
      throw new AwsError({
        code: 'InvalidBlockDeviceMapping',
        message: `Volume of size ${String(sizeGiB)}GB is smaller than snapshot '${snapshot.snapshotId}', expect size >= ${String(snapshot.volumeSizeGiB)}GB`,
      });
    const whole: ImageDevice = {
      ...device,
      snapshotId: snapshot?.snapshotId,
      sizeGiB: sizeGiB ?? snapshot?.volumeSizeGiB,
      volumeType: volumeType ?? 'standard',
      ...(snapshot === null ? {} : { encrypted: keyArn !== undefined, keyArn }),
    };
    // A size, type or performance that no volume can have is refused now, and not by every launch.
    const input = { ...volumeRequest({ ...whole, encrypted: undefined }, `${context.region}a`) };
    await this.requests.call('volumes', 'PlanVolume', { input }, context);
    return whole;
  }

  private async snapshot(text: string, context: RequestContext) {
    let snapshotId;
    try {
      snapshotId = toSnapshotId(text);
    } catch {
      throw invalidParameterValue(`Value (${text}) for parameter snapshotId is invalid. Expected: 'snap-...'.`);
    }
    const snapshot = await this.requests.call('snapshots', 'GetSnapshot', { snapshotId }, context);
    if (snapshot === null)
      throw new AwsError({ code: 'InvalidSnapshot.NotFound', message: `The snapshot '${text}' does not exist.` });
    if (snapshot.state !== 'completed')
      throw new AwsError({ code: 'IncorrectState', message: `Snapshot '${text}' is not in the 'completed' state.` });
    return snapshot;
  }
}
