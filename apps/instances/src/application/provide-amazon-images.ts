import { type Region, REGIONS } from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { amazonImage } from '../domain/amazon-image.ts';
import type { ImageStreams } from './image-ports.ts';

const SERVICE = 'ec2.amazonaws.com';

/** At every start: each Region has its public image. */
export class ProvideAmazonImages {
  constructor(
    private readonly images: ImageStreams,
    private readonly clock: Clock,
  ) {}

  async run(): Promise<void> {
    for (const name of REGIONS) await this.provide(name as Region);
  }

  private async provide(region: Region): Promise<void> {
    const accountId = AMAZON_ACCOUNT_ID;
    const caller = {
      requestId: `amazon-image-${region}`,
      accountId,
      region,
      principal: { type: 'AWSService', arn: SERVICE, accountId, principalId: SERVICE },
      sourceIp: SERVICE,
      userAgent: SERVICE,
    } as const;
    const at = this.clock.instant();
    await this.images.handle({ type: 'ProvideAmazonImage', ...amazonImage(region), at }, caller);
  }
}
