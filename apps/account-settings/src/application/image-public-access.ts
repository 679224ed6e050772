import type { RequestContext } from '@holdfast/contracts';
import type { Clock } from '@holdfast/service-kit';
import type { ImagePublicAccess } from '../domain/image-public-access.decider.ts';
import type { ImagePublicAccessStreams } from './ports.ts';

/** Enable- and DisableImageBlockPublicAccess, GetImageBlockPublicAccessState. No image's own permissions change. */
export class ImageBlockPublicAccess {
  constructor(
    private readonly settings: ImagePublicAccessStreams,
    private readonly clock: Clock,
  ) {}

  get(context: RequestContext): Promise<ImagePublicAccess> {
    return this.settings.read(context);
  }

  async enable(context: RequestContext): Promise<'block-new-sharing'> {
    await this.settings.handle(context, { type: 'BlockImagePublicAccess', at: this.clock.instant() });
    return 'block-new-sharing';
  }

  async disable(context: RequestContext): Promise<'unblocked'> {
    await this.settings.handle(context, { type: 'UnblockImagePublicAccess', at: this.clock.instant() });
    return 'unblocked';
  }
}
