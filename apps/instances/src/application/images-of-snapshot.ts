import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import { type ImageTable, isLaunchableBy } from './image-ports.ts';

type Internal = InternalRequests['instances'];

/** What the services that keep snapshots and volumes ask about images. */
export class ImagesOfSnapshot {
  constructor(private readonly table: ImageTable) {}

  async list(input: Internal['ListImagesOfSnapshot']['in']): Promise<Internal['ListImagesOfSnapshot']['out']> {
    return { imageIds: await this.table.ofSnapshot(input.snapshotId, input.exceptDisabled) };
  }

  /** A deregistered image still serves the launches that were asked for before. */
  async launchableOwner(
    { imageId, snapshotId }: Internal['GetLaunchableImageOwner']['in'],
    context: RequestContext,
  ): Promise<Internal['GetLaunchableImageOwner']['out']> {
    const image = await this.table.byId(imageId, context);
    if (image === null || !isLaunchableBy(image, context.accountId)) return null;
    return image.devices.some((device) => device.snapshotId === snapshotId) ? { ownerId: image.ownerId } : null;
  }
}
