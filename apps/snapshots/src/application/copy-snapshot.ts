import type { ec2 } from '@holdfast/aws-protocol';
import {
  callerOf,
  type InternalRequests,
  newSnapshotId,
  REGIONS,
  type Region,
  type RequestContext,
  type SnapshotId,
} from '@holdfast/contracts';
import {
  dryRunOperation,
  type EbsKeys,
  forwardedContext,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
  tagList,
  type Tags,
  tagsOfSpecifications,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { copyEncryptionOutcome } from '../domain/copy-encryption-outcome.ts';
import type { CopySource, SnapshotCopyStarted } from '../domain/snapshot.events.ts';
import { checkedDescription } from './description.ts';
import { parseSnapshotId } from './ids.ts';
import type { SnapshotStreams, SnapshotTable } from './ports.ts';
import { checkSnapshotCount } from './quotas.ts';
import { refusal } from './refusals.ts';
import type { Viewers } from './viewers.ts';

/** EC2's quota on copies under way in a destination Region. */
const MAX_PENDING_COPIES = 20;

interface Admitted {
  sourceId: SnapshotId;
  sourceRegion: Region;
  description: string;
  tags: Tags;
}

/**
 * Asked in the destination Region. A key that can't be used is refused at once; whatever is wrong with the source shows later,
 * as the state `error` of the copy.
 */
export class CopySnapshot {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotTable,
    private readonly viewers: Viewers,
    private readonly keys: EbsKeys,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.CopySnapshotRequest>, context: RequestContext): Promise<ec2.CopySnapshotResult> {
    const { sourceId, sourceRegion, description, tags } = admit(input, context.region);
    if (input.DryRun === true) throw dryRunOperation();
    const found = await this.source(sourceId, sourceRegion, context);
    const keyArn = await this.destinationKey(input, found.source, context);
    const snapshotId = newSnapshotId();
    await this.begin({ snapshotId, ...found, keyArn, description, tags }, context);
    return { SnapshotId: snapshotId, Tags: tagList(tags) };
  }

  /** What comes before the caller's permissions. @throws as `run` does. */
  check(input: Partial<ec2.CopySnapshotRequest>, { region }: RequestContext): void {
    admit(input, region);
  }

  /** Of an image's snapshot, under a key that was found usable. */
  async forImage(
    input: InternalRequests['snapshots']['CopyImageSnapshot']['in'],
    context: RequestContext,
  ): Promise<Record<string, never>> {
    const { snapshotId, sourceSnapshotId, sourceRegion, keyArn, description, tags } = input;
    if ((await this.snapshots.load(snapshotId)).status !== 'absent') return {};
    const found = await this.source(sourceSnapshotId, sourceRegion, context);
    if (keyArn === null && found.source.dataKey !== null)
      throw new Error(`a copy of the encrypted ${sourceSnapshotId} without a key`);
    try {
      await this.begin({ snapshotId, ...found, keyArn, description, tags }, context);
    } catch (error) {
      // Asked for twice at once, the other one was first.
      if ((await this.snapshots.load(snapshotId)).status === 'absent') throw error;
    }
    return {};
  }

  private async source(snapshotId: SnapshotId, region: Region, context: RequestContext) {
    await checkSnapshotCount(this.table, 1, context);
    if ((await this.table.pendingCopies(context)) >= MAX_PENDING_COPIES) throw refusal('ConcurrentCopiesExceeded');
    const found = await this.viewers.record(snapshotId, region, context);
    const status = found?.archived === true ? 'archived' : (found?.state ?? 'missing');
    const { started } = await this.snapshots.load(snapshotId);
    const isOfVolume = found !== null && started?.type === 'SnapshotStarted' && started.direct === undefined;
    const of = isOfVolume ? { volumeId: started.volumeId } : {};
    const empty = found?.empty === true ? { empty: true } : {};
    const source: CopySource = { snapshotId, region, status, dataKey: found?.dataKey ?? null, ...of, ...empty };
    return { source, volumeSizeGiB: found?.volumeSizeGiB ?? 0 };
  }

  private async begin(
    copy: Pick<SnapshotCopyStarted, 'snapshotId' | 'source' | 'volumeSizeGiB' | 'keyArn' | 'description' | 'tags'>,
    context: RequestContext,
  ): Promise<void> {
    const { accountId: ownerId, region } = context;
    const at = this.clock.instant();
    const cause = { caller: callerOf(context) };
    await this.snapshots.handle({ type: 'CopySnapshot', ...copy, ownerId, region, at }, cause);
  }

  private async destinationKey(
    input: Partial<ec2.CopySnapshotRequest>,
    source: CopySource,
    context: RequestContext,
  ): Promise<string | null> {
    const keyId = copyEncryptionOutcome(
      { encrypted: input.Encrypted, kmsKeyId: input.KmsKeyId },
      await this.requests.call('account-settings', 'GetEncryptionDefaults', {}, context),
      { encrypted: source.dataKey !== null },
    );
    if (keyId === null) return null;
    return this.keys.usableKey(keyId, forwardedContext(callerOf(context), context.deadlineMs));
  }
}

const admit = (input: Partial<ec2.CopySnapshotRequest>, region: Region): Admitted => {
  refuseParameters({
    DestinationOutpostArn: input.DestinationOutpostArn,
    DestinationAvailabilityZone: input.DestinationAvailabilityZone,
  });
  const { SourceSnapshotId, SourceRegion, DestinationRegion } = input;
  if (SourceSnapshotId === undefined || SourceSnapshotId === '') throw missingParameter('SourceSnapshotId');
  const sourceId = parseSnapshotId(SourceSnapshotId);
  if (sourceId === null) throw invalidParameterValue('The specified snapshotId is invalid');
  if (SourceRegion === undefined || SourceRegion === '') throw missingParameter('SourceRegion');
  if (!REGIONS.includes(SourceRegion)) throw refusal('RegionUnknown', { region: SourceRegion });
  // `DestinationRegion` is where the request is sent, said once more.
  if (DestinationRegion !== undefined && DestinationRegion !== region)
    throw refusal('DestinationRegionMismatch', { region: DestinationRegion, current: region });
  checkDuration(input.CompletionDurationMinutes);
  if (input.PresignedUrl !== undefined) checkPresignedUrl(input.PresignedUrl, sourceId, region);
  const tags = tagsOfSpecifications(input.TagSpecifications, 'snapshot');
  const description = checkedDescription(input.Description);
  return { sourceId, sourceRegion: SourceRegion as Region, description, tags };
};

/** A copy that takes a given time is not offered; its wrong values have words of their own. */
const checkDuration = (minutes: number | undefined): void => {
  if (minutes !== undefined && (minutes < 15 || minutes > 2880 || minutes % 15 !== 0))
    throw invalidParameterValue(
      `'${String(minutes)}' is not a valid value for completion duration. Specify a value between 15 and 2880 minutes, in 15 minute increments only`,
    );
  refuseParameters({ CompletionDurationMinutes: minutes });
};

/**
 * Official clients send it unasked. It permits nothing here, since the request itself is signed by the one who owns the source;
 * but it must not speak of something else.
 */
const checkPresignedUrl = (text: string, sourceId: SnapshotId, region: Region): void => {
  const asked = URL.canParse(text) ? new URL(text).searchParams : new URLSearchParams();
  const expected = { Action: 'CopySnapshot', SourceSnapshotId: sourceId, DestinationRegion: region };
  for (const [name, value] of Object.entries(expected))
    if (asked.get(name) !== value) throw invalidParameterValue('The specified PresignedUrl is invalid');
};
