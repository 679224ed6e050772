import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext, type SnapshotId } from '@holdfast/contracts';
import { dryRunOperation, refuseParameters } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { imageRefusal } from './image-refusals.ts';
import type { ImageRequests } from './image-requests.ts';

/** What DeleteSnapshot's refusals are told as. @see DeregisterImage, DeleteSnapshotResults */
const RETURN_CODES: Readonly<Record<string, ec2.SnapshotReturnCodes>> = {
  'InvalidSnapshot.InUse': 'skipped',
  InternalError: 'internal-error',
};

/** Nobody can launch from the image any more. Its snapshots stay, unless they are to be deleted as well. */
export class DeregisterImage {
  constructor(
    private readonly images: ImageRequests,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.DeregisterImageRequest>, context: RequestContext): Promise<ec2.DeregisterImageResult> {
    const { ImageId, DeleteAssociatedSnapshots, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    const { imageId, devices } = await this.images.own(ImageId, context);
    if (DryRun === true) throw dryRunOperation();
    const command = { type: 'DeregisterImage', imageId, at: this.clock.instant() } as const;
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

  private async delete(SnapshotId: SnapshotId, context: RequestContext): Promise<ec2.SnapshotReturnCodes> {
    try {
      await this.requests.request('snapshots', 'DeleteSnapshot', { SnapshotId }, context);
      return 'success';
    } catch (error) {
      if (!(error instanceof AwsError)) return 'internal-error';
      return RETURN_CODES[error.code] ?? 'client-error';
    }
  }
}
