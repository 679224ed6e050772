import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext } from '@holdfast/contracts';
import {
  cutPage,
  dryRunOperation,
  invalidParameterValue,
  missingParameter,
  pageSize,
  type PageTokens,
  tagList,
} from '@holdfast/ec2';
import { parseSnapshotId } from './ids.ts';
import type { SnapshotDetails, SnapshotTable } from './ports.ts';
import { refusal } from './refusals.ts';

const MAXIMUM_PAGE = 1000;

export class DescribeSnapshots {
  constructor(
    private readonly table: SnapshotTable,
    private readonly pageTokens: PageTokens,
  ) {}

  async run(input: ec2.DescribeSnapshotsRequest, context: RequestContext): Promise<ec2.DescribeSnapshotsResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const snapshotIds = input.SnapshotIds ?? [];
    snapshotIds.forEach(checkId);
    const limit = pageSize(input, { maximum: MAXIMUM_PAGE, ids: snapshotIds, idsParameter: 'snapshotIdsSet' });
    const scope = { accountId: context.accountId, region: context.region, action: 'DescribeSnapshots' };
    const after = input.NextToken === undefined ? undefined : this.pageTokens.read(scope, input.NextToken);
    const wanted = wantsOwn(input.OwnerIds, context, ['amazon', 'aws-marketplace']) && wantsRestorable(input, context);
    const query = { filters: input.Filters, snapshotIds, after, limit: limit + 1 };
    const { rows, missing } = await this.table.describe(query, context);
    const [snapshotId] = missing;
    if (snapshotId !== undefined) throw refusal('SnapshotNotFound', { snapshotId });
    const page = cutPage(
      wanted ? rows : [],
      limit,
      ({ snapshot }) => snapshotView(snapshot),
      ({ position }) => position,
    );
    return {
      Snapshots: page.items,
      NextToken: page.next === null ? undefined : this.pageTokens.issue(scope, page.next),
    };
  }
}

const checkId = (snapshotId: string): void => {
  if (snapshotId === '') throw missingParameter('snapshotId');
  if (parseSnapshotId(snapshotId) === null)
    throw invalidParameterValue(`Value (${snapshotId}) for parameter snapshotId is invalid. Expected: 'snap-...'.`);
};

/** Whether one of the accounts is the caller: nobody sees another's snapshots while none is shared. */
const wantsOwn = (
  accounts: readonly string[] | undefined,
  { accountId }: RequestContext,
  aliases: readonly string[],
) => {
  if (accounts === undefined || accounts.length === 0) return true;
  const malformed = accounts.find((id) => id !== 'self' && !aliases.includes(id) && !/^\d{12}$/.test(id));
  if (malformed !== undefined)
    throw new AwsError({ code: 'InvalidUserID.Malformed', message: `Invalid user id: "${malformed}"` });
  return accounts.includes('self') || accounts.includes(accountId);
};

/** `all` asks for the public ones, of which there are none. */
const wantsRestorable = ({ RestorableByUserIds }: ec2.DescribeSnapshotsRequest, context: RequestContext) =>
  wantsOwn(RestorableByUserIds, context, ['all']);

const snapshotView = (snapshot: SnapshotDetails): ec2.Snapshot => ({
  SnapshotId: snapshot.snapshotId,
  VolumeId: snapshot.volumeId,
  State: snapshot.state,
  StateMessage: snapshot.stateMessage ?? undefined,
  StartTime: snapshot.startTime,
  CompletionTime: snapshot.completionTime ?? undefined,
  Progress: `${String(snapshot.progress)}%`,
  OwnerId: snapshot.ownerId,
  Description: snapshot.description,
  VolumeSize: snapshot.volumeSizeGiB,
  Encrypted: snapshot.encrypted,
  KmsKeyId: snapshot.keyArn ?? undefined,
  DataEncryptionKeyId: snapshot.dataKeyId ?? undefined,
  StorageTier: 'standard',
  TransferType: snapshot.isCopy ? 'standard' : undefined,
  Tags: tagList(snapshot.tags),
});
