import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import {
  cutPage,
  dryRunOperation,
  invalidParameterValue,
  missingParameter,
  pageSize,
  type PageTokens,
} from '@holdfast/ec2';
import type { VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';
import { volumeView } from './volume-view.ts';

const MAXIMUM_PAGE = 500;

export class DescribeVolumes {
  constructor(
    private readonly table: VolumeTable,
    private readonly pageTokens: PageTokens,
  ) {}

  async run(input: ec2.DescribeVolumesRequest, context: RequestContext): Promise<ec2.DescribeVolumesResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const volumeIds = input.VolumeIds ?? [];
    volumeIds.forEach(checkId);
    const limit = pageSize(input, { maximum: MAXIMUM_PAGE, ids: volumeIds, idsParameter: 'volumeIdsSet' });
    const scope = { accountId: context.accountId, region: context.region, action: 'DescribeVolumes' };
    const after = input.NextToken === undefined ? undefined : this.pageTokens.read(scope, input.NextToken);
    const query = { filters: input.Filters, volumeIds, after, limit: limit + 1 };
    const { rows, missing } = await this.table.describe(query, context);
    const [volumeId] = missing;
    if (volumeId !== undefined) throw refusal('VolumeNotFound', { volumeId });
    const page = cutPage(
      rows,
      limit,
      ({ volume }) => volumeView(volume),
      ({ position }) => position,
    );
    return {
      Volumes: page.items,
      NextToken: page.next === null ? undefined : this.pageTokens.issue(scope, page.next),
    };
  }
}

const checkId = (volumeId: string): void => {
  if (volumeId === '') throw missingParameter('volumes');
  if (parseVolumeId(volumeId) === null)
    throw invalidParameterValue(`Value (${volumeId}) for parameter volumes is invalid. Expected: 'vol-...'.`);
};
