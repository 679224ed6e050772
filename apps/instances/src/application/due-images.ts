import { randomUUID } from 'node:crypto';
import type { Caller } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { DueImage, ImageStreams, ImageTable } from './image-ports.ts';

/** Done in one go; the rest is done in the next. */
const BATCH = 100;
const SERVICE = 'ec2.amazonaws.com';

/** On nobody's request: as EC2 itself, in the image's account and Region. */
const ownCaller = ({ ownerId: accountId, region }: DueImage): Caller => ({
  requestId: randomUUID(),
  accountId,
  region,
  principal: { type: 'AWSService', arn: SERVICE, accountId, principalId: SERVICE },
  sourceIp: SERVICE,
  userAgent: SERVICE,
});

/**
 * Lets images leave the Recycle Bin whose time there is over, also what came due while nothing ran. Repeats safely: each
 * image's history decides again. One image's failure keeps no other waiting, and is tried again with the next call.
 */
export class DueImages {
  constructor(
    private readonly images: ImageStreams,
    private readonly table: ImageTable,
    private readonly clock: Clock,
  ) {}

  async run(onError: (error: unknown, imageId: string) => void): Promise<void> {
    const at = this.clock.instant();
    for (const due of await this.table.dueToLeaveBin(at, BATCH)) {
      const { imageId } = due;
      await this.images
        .handle({ type: 'LeaveBin', imageId, at }, ownCaller(due))
        .catch((error: unknown) => onError(error, imageId));
    }
  }
}
