import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { describePage, dryRunOperation, invalidParameterValue, missingParameter, type PageTokens } from '@holdfast/ec2';
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
    const { items, NextToken } = await describePage(
      input,
      context,
      {
        action: 'DescribeVolumes',
        tokens: this.pageTokens,
        maximum: MAXIMUM_PAGE,
        ids: volumeIds,
        idsParameter: 'volumeIdsSet',
      },
      async (window) => {
        const { rows, missing } = await this.table.describe({ filters: input.Filters, volumeIds, ...window }, context);
        const [volumeId] = missing;
        if (volumeId !== undefined) throw refusal('VolumeNotFound', { volumeId });
        return rows;
      },
      ({ volume }) => volumeView(volume),
    );
    return { Volumes: items, NextToken };
  }
}

const checkId = (volumeId: string): void => {
  if (volumeId === '') throw missingParameter('volumes');
  if (parseVolumeId(volumeId) === null)
    throw invalidParameterValue(`Value (${volumeId}) for parameter volumes is invalid. Expected: 'vol-...'.`);
};
