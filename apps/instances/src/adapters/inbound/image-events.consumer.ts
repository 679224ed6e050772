import type { ConsumerOptions, DeliveredEvent } from '@holdfast/messaging';
import type { MakeImage } from '../../application/make-image.ts';
import type { ImageEvent } from '../../domain/image.events.ts';

/** Images that are looked after at once. */
const CONCURRENCY = 16;
/** How soon another process goes on when one falls silent, in milliseconds. Each step may be taken twice. */
const ACK_WAIT_MS = 5_000;

/** The process manager of images: their snapshots are made here, also when the request's process died. */
export const imageWork = (makeImage: MakeImage): Omit<ConsumerOptions, 'owner'> => ({
  name: 'image-work',
  source: 'instances',
  concurrency: CONCURRENCY,
  ackWaitMs: ACK_WAIT_MS,
  handlers: {
    ImageCreationStarted: ({ data, metadata }: DeliveredEvent<ImageEvent>) =>
      makeImage.run(data.imageId, metadata.caller),
    ImageCopyStarted: ({ data, metadata }: DeliveredEvent<ImageEvent>) => makeImage.run(data.imageId, metadata.caller),
    ImageFailed: ({ data, metadata }: DeliveredEvent<ImageEvent>) => makeImage.discard(data.imageId, metadata.caller),
  },
});
