import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import { describePage, dryRunOperation, missingParameter, type PageTokens, recordFilter } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { VolumeDetails, VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

const MAXIMUM_PAGE = 1000;

/** Filters on what only the host of a volume knows: applied to a page that was cut already, as EC2's are to its pages. */
const DETAILS_STATUS = 'volume-status.details-status';

/** How far volumes made from snapshots are, by their ids. */
type Initializations = ReadonlyMap<string, { progress: number; secondsLeft: number | null }>;

/** I/O of every volume here is enabled, and none has an event; one that is being created has no status yet. */
export class DescribeVolumeStatus {
  constructor(
    private readonly table: VolumeTable,
    private readonly pageTokens: PageTokens,
    private readonly requests: Pick<Requests, 'call'>,
  ) {}

  async run(input: ec2.DescribeVolumeStatusRequest, context: RequestContext): Promise<ec2.DescribeVolumeStatusResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const volumeIds = input.VolumeIds ?? [];
    volumeIds.forEach(checkId);
    let initializations: Initializations = new Map();
    const { items, NextToken } = await describePage(
      input,
      context,
      {
        action: 'DescribeVolumeStatus',
        tokens: this.pageTokens,
        maximum: MAXIMUM_PAGE,
        ids: volumeIds,
        idsParameter: 'volumeIdsSet',
      },
      async (window) => {
        const query = { filters: input.Filters, volumeIds, ...window, status: true };
        const { rows, missing } = await this.table.describe(query, context);
        const [volumeId] = missing;
        if (volumeId !== undefined) throw refusal('VolumeNotFound', { volumeId });
        initializations = await this.initializations(rows, context);
        return rows;
      },
      ({ volume }) => statusView(volume, initializations),
    );
    const detailed = (input.Filters ?? []).filter(({ Name }) => Name === DETAILS_STATUS);
    const matches = recordFilter<ec2.VolumeStatusItem>(detailed, {
      [DETAILS_STATUS]: ({ VolumeStatus }) => (VolumeStatus?.Details ?? []).map(({ Status }) => Status),
    });
    return { VolumeStatuses: items.filter(matches), NextToken };
  }

  private async initializations(
    rows: readonly { volume: VolumeDetails }[],
    context: RequestContext,
  ): Promise<Initializations> {
    const volumeIds = rows.flatMap(({ volume }) => (volume.snapshotId === '' ? [] : [volume.volumeId]));
    if (volumeIds.length === 0) return new Map();
    const { initializations } = await this.requests.call('data-plane', 'GetInitialization', { volumeIds }, context);
    return new Map(initializations.map(({ volumeId, ...state }) => [volumeId, state]));
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

const statusView = (volume: VolumeDetails, initializations: Initializations): ec2.VolumeStatusItem => ({
  VolumeId: volume.volumeId,
  AvailabilityZone: volume.availabilityZone,
  AvailabilityZoneId: volume.availabilityZoneId,
  VolumeStatus: {
    Status: 'ok',
    Details: [
      { Name: 'io-enabled', Status: 'passed' },
      { Name: 'io-performance', Status: 'not-applicable' },
      ...initializationDetail(volume, initializations),
    ],
  },
  InitializationStatusDetails: initializationOf(volume, initializations),
  Actions: [],
  Events: [],
  AttachmentStatuses: volume.attachments.map(({ instanceId }) => ({
    InstanceId: instanceId,
    IoPerformance: 'not-applicable',
  })),
});

const isComplete = (progress: number | undefined) => progress === 100;

const initializationDetail = ({ volumeId, snapshotId }: VolumeDetails, initializations: Initializations) =>
  snapshotId === ''
    ? []
    : [
        {
          Name: 'initialization-state',
          Status: isComplete(initializations.get(volumeId)?.progress) ? 'completed' : 'initializing',
        } as const,
      ];

/** How long it still takes can be told only where the rate is given. */
const initializationOf = (
  { volumeId, snapshotId, initializationRateMiBps }: VolumeDetails,
  initializations: Initializations,
): ec2.InitializationStatusDetails | undefined => {
  if (snapshotId === '') return undefined;
  const { progress = 0, secondsLeft = null } = initializations.get(volumeId) ?? {};
  return {
    InitializationType: initializationRateMiBps === null ? 'default' : 'provisioned-rate',
    Progress: progress,
    EstimatedTimeToCompleteInSeconds:
      initializationRateMiBps === null || isComplete(progress) ? undefined : (secondsLeft ?? undefined),
  };
};
