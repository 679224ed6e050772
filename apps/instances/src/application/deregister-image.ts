import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type Instant, type RequestContext, type SnapshotId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { dryRunOperation, refuseParameters } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { ImageRow } from './image-ports.ts';
import { imageRefusal } from './image-refusals.ts';
import type { ImageRequests } from './image-requests.ts';

/** AWS gives only the permission's want and another image's use names of their own. What DeleteSnapshot's refusals are told as. @see DeregisterImage, DeleteSnapshotResults */
const RETURN_CODES: Readonly<Record<string, ec2.SnapshotReturnCodes>> = {
  'InvalidSnapshot.InUse': 'skipped',
  InternalError: 'internal-error',
};

/**
 * Nobody can launch from the image any more; a rule of the Recycle Bin may keep it. Its snapshots stay, unless they are to be
 * deleted as well: each is answered for by itself.
 */
export class DeregisterImage {
  constructor(
    private readonly images: ImageRequests,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.DeregisterImageRequest>, context: RequestContext): Promise<ec2.DeregisterImageResult> {
    const { ImageId, DeleteAssociatedSnapshots, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    const image = await this.images.own(ImageId, context);
    const { imageId, devices, tags } = image;
    const at = this.clock.instant();
    this.checkProtection(image, at);
    if (DryRun === true) throw dryRunOperation();
    const resource = { resourceType: 'EC2_IMAGE' as const, tags: { ...tags } };
    const { days: retentionDays } = await this.requests.call('snapshots', 'GetRetention', resource, context);
    const command = { type: 'DeregisterImage', imageId, retentionDays, at } as const;
    await this.images.streams.handle(command, callerOf(context)).catch((error) => {
      throw imageRefusal(error);
    });
    if (DeleteAssociatedSnapshots !== true) return { Return: true };
    const results: ec2.DeleteSnapshotReturnCode[] = [];
    const snapshotIds = devices.flatMap(({ snapshotId }) => (snapshotId === undefined ? [] : [snapshotId]));
    for (const SnapshotId of new Set(snapshotIds))
      results.push({ SnapshotId, ReturnCode: await this.delete(SnapshotId, context) });
    return { Return: true, DeleteSnapshotResults: results };
  }

  /** As the image's history decides again. */
  private checkProtection({ imageId, protection, protectedUntil }: ImageRow, at: Instant): void {
    if (protection !== 'disabled') throw imageRefusal(new DomainError('ImageProtected', { imageId }));
    if (protectedUntil !== null && at < protectedUntil)
      throw imageRefusal(new DomainError('ImageInCooldown', { imageId, protectedUntil }));
  }

  private async delete(SnapshotId: SnapshotId, context: RequestContext): Promise<ec2.SnapshotReturnCodes> {
    const arn = `arn:aws:ec2:${context.region}::snapshot/${SnapshotId}`;
    if (context.deniedResources?.includes(arn)) return 'missing-permissions';
    try {
      await this.requests.request('snapshots', 'DeleteSnapshot', { SnapshotId }, context);
      return 'success';
    } catch (error) {
      if (!(error instanceof AwsError)) return 'internal-error';
      return RETURN_CODES[error.code] ?? 'client-error';
    }
  }
}
