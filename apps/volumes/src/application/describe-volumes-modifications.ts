import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { describePage, dryRunOperation, invalidParameterValue, missingParameter, type PageTokens } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { optimizingProgress } from './follow-modification.ts';
import { modificationView } from './modification-view.ts';
import type { ModificationDetails, ModificationTable, VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

const MAXIMUM_PAGE = 500;

/** The latest modification of each volume. */
export class DescribeVolumesModifications {
  constructor(
    private readonly modifications: ModificationTable,
    private readonly volumes: VolumeTable,
    private readonly pageTokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  async run(
    input: ec2.DescribeVolumesModificationsRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeVolumesModificationsResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const volumeIds = input.VolumeIds ?? [];
    volumeIds.forEach(checkId);
    const { items, NextToken } = await describePage(
      input,
      context,
      {
        action: 'DescribeVolumesModifications',
        tokens: this.pageTokens,
        maximum: MAXIMUM_PAGE,
        ids: volumeIds,
        idsParameter: 'volumeModificationSet',
        maxResultsParameter: 'MaxResults',
        badToken: (token) => `Value ( ${token} ) for parameter NextToken is invalid. The token is Invalid.`,
      },
      async (window) => {
        const query = { filters: input.Filters, volumeIds, ...window };
        const { rows, missing } = await this.modifications.describe(query, context);
        if (missing.length > 0) await this.refuseMissing(missing, context);
        return rows;
      },
      ({ modification }) => modificationView(modification.volumeId, this.asOfNow(modification)),
    );
    return { VolumesModifications: items, NextToken };
  }

  private asOfNow(modification: ModificationDetails): ModificationDetails {
    if (modification.state !== 'optimizing') return modification;
    return { ...modification, progress: optimizingProgress(modification.startTime, this.clock.now()) };
  }

  /** A volume that is not there is another thing than one that was never modified. */
  private async refuseMissing(volumeIds: readonly string[], context: RequestContext): Promise<never> {
    const [absent] = (await this.volumes.describe({ volumeIds, limit: volumeIds.length }, context)).missing;
    if (absent !== undefined) throw refusal('VolumeNotFound', { volumeId: absent });
    throw refusal('ModificationNotFound', { volumeId: volumeIds[0] });
  }
}

const checkId = (volumeId: string): void => {
  if (volumeId === '') throw missingParameter('volumes');
  if (parseVolumeId(volumeId) === null)
    throw invalidParameterValue(`Value (${volumeId}) for parameter volumes is invalid. Expected: 'vol-...'.`);
};
