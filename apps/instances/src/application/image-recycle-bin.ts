import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { describePage, dryRunOperation, invalidParameterValue, missingParameter, type PageTokens } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { ImageRow } from './image-ports.ts';
import { imageNameInUse, imageNotInBin, imageRefusal } from './image-refusals.ts';
import { type ImageRequests, parseImageId } from './image-requests.ts';

/** @see ListImagesInRecycleBin */
const MAX_IDS = 20;
const MAX_PAGE = 1000;

/** ListImagesInRecycleBin and RestoreImageFromRecycleBin. */
export class ImageRecycleBin {
  constructor(
    private readonly images: ImageRequests,
    private readonly requests: Requests,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  async list(
    input: ec2.ListImagesInRecycleBinRequest,
    context: RequestContext,
  ): Promise<ec2.ListImagesInRecycleBinResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const imageIds = (input.ImageIds ?? []).map(parseImageId);
    if (imageIds.length > MAX_IDS)
      throw invalidParameterValue(`The number of image IDs must not be greater than ${String(MAX_IDS)}.`);
    const now = this.clock.instant();
    const rules = { maximum: MAX_PAGE, minimum: 1, ids: imageIds, idsParameter: 'imageIdSet' };
    const { items, NextToken } = await describePage(
      input,
      context,
      { action: 'ListImagesInRecycleBin', tokens: this.tokens, ...rules },
      async (window) => {
        const rows = await this.images.table.recycled({ imageIds, now, ...window }, context);
        const missing = imageIds.find((id) => !rows.some(({ imageId }) => imageId === id));
        if (missing !== undefined) throw imageNotInBin(missing);
        return rows;
      },
      ({ imageId, name, description, recycledAt, exitsAt }) => ({
        ImageId: imageId,
        Name: name,
        Description: description,
        RecycleBinEnterTime: recycledAt,
        RecycleBinExitTime: exitsAt,
      }),
    );
    return { Images: items, NextToken };
  }

  /** As it was, to whom it was shared included; its snapshots have to be there again before. */
  async restore(
    { ImageId, DryRun }: Partial<ec2.RestoreImageFromRecycleBinRequest>,
    context: RequestContext,
  ): Promise<ec2.RestoreImageFromRecycleBinResult> {
    if (ImageId === undefined || ImageId === '') throw missingParameter('ImageId');
    const image = await this.images.table.byId(parseImageId(ImageId), context);
    if (image?.state !== 'recycled' || image.ownerId !== context.accountId) throw imageNotInBin(ImageId);
    await this.checkSnapshots(image, context);
    await this.images.checkNameIsFree(image.name, context);
    if (DryRun === true) throw dryRunOperation();
    const command = { type: 'RestoreFromBin', imageId: image.imageId, at: this.clock.instant() } as const;
    await this.images.streams.handle(command, callerOf(context)).catch(async (error: unknown) => {
      if (error instanceof DomainError && error.code === 'ImageNameTaken')
        throw imageNameInUse(image.name, (await this.images.table.named(image.name, context)) ?? '');
      throw imageRefusal(error);
    });
    return { Return: true };
  }

  private async checkSnapshots({ imageId, devices }: ImageRow, context: RequestContext): Promise<void> {
    for (const { snapshotId } of devices) {
      if (snapshotId === undefined) continue;
      const snapshot = await this.requests.call('snapshots', 'GetSnapshot', { snapshotId }, context);
      if (snapshot?.state !== 'completed')
        throw new AwsError({
          code: 'InvalidSnapshot.NotFound',
          message: `The snapshot '${snapshotId}' of the image '${imageId}' is not available. Restore it before the image.`,
        });
    }
  }
}
