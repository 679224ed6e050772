import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type ImageId, type RequestContext } from '@holdfast/contracts';
import type { Filter, TagRemoval, Tags } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { isGone, isLaunchableBy } from './image-ports.ts';
import { imageGone, imageNotFound, imageRefusal } from './image-refusals.ts';
import { type ImageRequests, parseImageId } from './image-requests.ts';

/** Tags of images: whoever sees an image has tags of their own on it. */
export class ImageTags {
  constructor(
    private readonly images: ImageRequests,
    private readonly clock: Clock,
  ) {}

  /** @throws AwsError InvalidAMIID.… unless the caller sees all of them. */
  async existing(ids: readonly string[], context: RequestContext): Promise<ImageId[]> {
    for (const id of ids) {
      const image = await this.images.table.byId(parseImageId(id), context);
      if (image === null || !isLaunchableBy(image, context.accountId)) throw imageNotFound(id);
      // In the Recycle Bin its owner may still tag it.
      if (isGone(image) && !(image.state === 'recycled' && image.ownerId === context.accountId)) throw imageGone(id);
    }
    return ids as ImageId[];
  }

  async tag(ids: readonly ImageId[], tags: Tags, context: RequestContext): Promise<void> {
    const { accountId } = context;
    for (const imageId of ids) {
      const command = { type: 'TagImage', imageId, accountId, tags: { ...tags }, at: this.clock.instant() } as const;
      await this.images.streams.handle(command, callerOf(context)).catch((error) => {
        throw imageRefusal(error);
      });
    }
  }

  async untag(ids: readonly ImageId[], removal: TagRemoval, context: RequestContext): Promise<void> {
    const { accountId } = context;
    for (const imageId of ids) {
      const command = { type: 'UntagImage', imageId, accountId, removal, at: this.clock.instant() } as const;
      await this.images.streams.handle(command, callerOf(context)).catch((error) => {
        throw imageRefusal(error);
      });
    }
  }

  async describe(filters: readonly Filter[] | undefined, context: RequestContext): Promise<ec2.TagDescription[]> {
    const tags = await this.images.table.tags(filters, context);
    return tags.map(({ imageId, key, value }) => ({
      ResourceId: imageId,
      ResourceType: 'image',
      Key: key,
      Value: value,
    }));
  }
}
