import { type Logger, RepeatedWork } from '@holdfast/service-kit';
import type { DueImages } from '../../application/due-images.ts';

/** So that a turned clock shows soon what it asks for. */
const INTERVAL_MS = 1000;

/** Looks for images whose time has come. Replicas may look at once: the image's stream lets one of them through. */
export class ImageClock extends RepeatedWork {
  constructor(
    private readonly due: DueImages,
    logger: Logger,
  ) {
    super(INTERVAL_MS, 'the images that leave the Recycle Bin were not looked up', logger);
  }

  async run(): Promise<void> {
    await this.due.run((error, imageId) =>
      this.logger.warn({ err: error, imageId }, 'an image did not leave the Recycle Bin; trying again'),
    );
  }
}
