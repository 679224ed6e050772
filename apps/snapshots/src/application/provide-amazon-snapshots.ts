import { type Region, REGIONS } from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID, amazonSnapshot } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotStreams } from './ports.ts';

const SERVICE = 'ec2.amazonaws.com';

/** At every start: each Region has the public snapshot that its EBS-backed image is made of. */
export class ProvideAmazonSnapshots {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly clock: Clock,
  ) {}

  async run(): Promise<void> {
    for (const name of REGIONS) await this.provide(name as Region);
  }

  private async provide(region: Region): Promise<void> {
    const accountId = AMAZON_ACCOUNT_ID;
    const caller = {
      requestId: `amazon-snapshot-${region}`,
      accountId,
      region,
      principal: { type: 'AWSService', arn: SERVICE, accountId, principalId: SERVICE },
      sourceIp: SERVICE,
      userAgent: SERVICE,
    } as const;
    const described = { ownerId: accountId, region, description: 'Nothing was ever written to it' };
    const at = this.clock.instant();
    await this.snapshots.handle(
      { type: 'ProvideAmazonSnapshot', ...amazonSnapshot(region), ...described, at },
      { caller },
    );
  }
}
