import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { cutPage, dryRunOperation, missingParameter, pageSize, type PageTokens } from '@holdfast/ec2';
import type { VolumeDetails, VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

const MAXIMUM_PAGE = 1000;

/** I/O of every volume here is enabled, and none has an event; one that is being created has no status yet. */
export class DescribeVolumeStatus {
  constructor(
    private readonly table: VolumeTable,
    private readonly pageTokens: PageTokens,
  ) {}

  async run(input: ec2.DescribeVolumeStatusRequest, context: RequestContext): Promise<ec2.DescribeVolumeStatusResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const volumeIds = input.VolumeIds ?? [];
    volumeIds.forEach(checkId);
    const limit = pageSize(input, { maximum: MAXIMUM_PAGE, ids: volumeIds, idsParameter: 'volumeIdsSet' });
    const scope = { accountId: context.accountId, region: context.region, action: 'DescribeVolumeStatus' };
    const after = input.NextToken === undefined ? undefined : this.pageTokens.read(scope, input.NextToken);
    const query = { filters: input.Filters, volumeIds, after, limit: limit + 1, status: true };
    const { rows, missing } = await this.table.describe(query, context);
    const [volumeId] = missing;
    if (volumeId !== undefined) throw refusal('VolumeNotFound', { volumeId });
    const page = cutPage(
      rows,
      limit,
      ({ volume }) => statusView(volume),
      ({ position }) => position,
    );
    return {
      VolumeStatuses: page.items,
      NextToken: page.next === null ? undefined : this.pageTokens.issue(scope, page.next),
    };
  }
}

const checkId = (volumeId: string): void => {
  if (volumeId === '') throw missingParameter('volumes');
  if (parseVolumeId(volumeId) === null)
    throw new AwsError({
      code: 'InvalidVolumeID.Malformed',
      message: `Invalid id: "${volumeId}" (expecting "vol-...")`,
    });
};

const statusView = (volume: VolumeDetails): ec2.VolumeStatusItem => ({
  VolumeId: volume.volumeId,
  AvailabilityZone: volume.availabilityZone,
  AvailabilityZoneId: volume.availabilityZoneId,
  VolumeStatus: {
    Status: 'ok',
    Details: [
      { Name: 'io-enabled', Status: 'passed' },
      { Name: 'io-performance', Status: 'not-applicable' },
    ],
  },
  Actions: [],
  Events: [],
  AttachmentStatuses: volume.attachments.map(({ instanceId }) => ({
    InstanceId: instanceId,
    IoPerformance: 'not-applicable',
  })),
});
