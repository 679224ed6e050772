import type { ec2 } from '@holdfast/aws-protocol';
import { type AccountId, AwsError, type RequestContext } from '@holdfast/contracts';
import {
  AMAZON_ACCOUNT_ID,
  describePage,
  dryRunOperation,
  invalidParameterValue,
  missingParameter,
  type PageTokens,
  tagList,
} from '@holdfast/ec2';
import { parseSnapshotId } from './ids.ts';
import type { RestorableBy, SnapshotDetails, SnapshotQuery, SnapshotTable } from './ports.ts';
import { refusal } from './refusals.ts';
import type { Viewers } from './viewers.ts';

const MAXIMUM_PAGE = 1000;

export class DescribeSnapshots {
  constructor(
    private readonly table: SnapshotTable,
    private readonly viewers: Viewers,
    private readonly pageTokens: PageTokens,
  ) {}

  async run(input: ec2.DescribeSnapshotsRequest, context: RequestContext): Promise<ec2.DescribeSnapshotsResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const snapshotIds = input.SnapshotIds ?? [];
    snapshotIds.forEach(checkId);
    // The EBS CSI driver sends MaxResults 0 where it has no limit of its own.
    const { MaxResults, ...unlimited } = input;
    const { items, NextToken } = await describePage(
      MaxResults === 0 ? unlimited : input,
      context,
      {
        action: 'DescribeSnapshots',
        tokens: this.pageTokens,
        maximum: MAXIMUM_PAGE,
        ids: snapshotIds,
        idsParameter: 'snapshotIdsSet',
      },
      (window) => this.read({ filters: input.Filters, snapshotIds, ...window }, input, context),
      ({ snapshot }) => snapshotView(snapshot),
    );
    return { Snapshots: items, NextToken };
  }

  private async read(
    query: Omit<SnapshotQuery, 'ownerIds' | 'restorableBy'>,
    input: ec2.DescribeSnapshotsRequest,
    context: RequestContext,
  ) {
    const whose = { ownerIds: ownerIdsOf(input, context), restorableBy: restorableByOf(input) };
    const { rows, missing } = await this.table.describe({ ...query, ...whose }, await this.viewers.viewer(context));
    const [snapshotId] = missing;
    if (snapshotId !== undefined) throw refusal('SnapshotNotFound', { snapshotId });
    return rows;
  }
}

const checkId = (snapshotId: string): void => {
  if (snapshotId === '') throw missingParameter('snapshotId');
  if (parseSnapshotId(snapshotId) === null)
    throw invalidParameterValue(`Value (${snapshotId}) for parameter snapshotId is invalid. Expected: 'snap-...'.`);
};

const checkedAccounts = (accounts: readonly string[] | undefined, aliases: readonly string[]) => {
  if (accounts === undefined || accounts.length === 0) return undefined;
  const malformed = accounts.find((id) => !aliases.includes(id) && !/^\d{12}$/.test(id));
  if (malformed !== undefined)
    throw new AwsError({ code: 'InvalidUserID.Malformed', message: `Invalid user id: "${malformed}"` });
  return accounts;
};

/** `aws-marketplace` owns none of the snapshots here. */
const ownerIdsOf = ({ OwnerIds }: ec2.DescribeSnapshotsRequest, { accountId }: RequestContext) =>
  checkedAccounts(OwnerIds, ['self', 'amazon', 'aws-marketplace'])?.map((id) =>
    id === 'self' ? accountId : id === 'amazon' ? AMAZON_ACCOUNT_ID : (id as AccountId),
  );

const restorableByOf = ({ RestorableByUserIds }: ec2.DescribeSnapshotsRequest) =>
  checkedAccounts(RestorableByUserIds, ['self', 'all']) as RestorableBy[] | undefined;

const snapshotView = (snapshot: SnapshotDetails): ec2.Snapshot => ({
  SnapshotId: snapshot.snapshotId,
  VolumeId: snapshot.volumeId,
  State: snapshot.state,
  StateMessage: snapshot.stateMessage ?? undefined,
  StartTime: snapshot.startTime,
  CompletionTime: snapshot.completionTime ?? undefined,
  Progress: `${String(snapshot.progress)}%`,
  OwnerId: snapshot.ownerId,
  OwnerAlias: snapshot.ownerId === AMAZON_ACCOUNT_ID ? 'amazon' : undefined,
  Description: snapshot.description,
  VolumeSize: snapshot.volumeSizeGiB,
  Encrypted: snapshot.encrypted,
  KmsKeyId: snapshot.keyArn ?? undefined,
  DataEncryptionKeyId: snapshot.dataKeyId ?? undefined,
  StorageTier: snapshot.storageTier,
  RestoreExpiryTime: snapshot.restoreExpiryTime ?? undefined,
  TransferType: snapshot.isCopy ? 'standard' : undefined,
  Tags: tagList(snapshot.tags),
});
