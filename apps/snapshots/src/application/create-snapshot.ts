import type { ec2 } from '@holdfast/aws-protocol';
import {
  AwsError,
  callerOf,
  type Instant,
  newSnapshotId,
  type RequestContext,
  type SnapshotId,
  type VolumeRecord,
} from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
  tagList,
  type Tags,
  tagsOfSpecifications,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { checkedDescription } from './description.ts';
import { parseVolumeId } from './ids.ts';
import type { SnapshotStreams, SnapshotTable } from './ports.ts';
import { checkSnapshotCount, checkVolumeQuotas } from './quotas.ts';
import { refusal } from './refusals.ts';

/**
 * The volume as it is at this moment: when this answers, the point in time is fixed on disk and writes go on. No key is used:
 * the snapshot is of ciphertext.
 */
export class CreateSnapshot {
  constructor(
    private readonly snapshots: SnapshotStreams,
    readonly table: SnapshotTable,
    private readonly requests: Requests,
    readonly clock: Clock,
    readonly intervalSeconds: number,
  ) {}

  async run(input: Partial<ec2.CreateSnapshotRequest>, context: RequestContext): Promise<ec2.Snapshot> {
    const { VolumeId, DryRun } = input;
    refuseParameters({
      OutpostArn: input.OutpostArn,
      Location: input.Location === 'regional' ? undefined : input.Location,
    });
    if (VolumeId === undefined || VolumeId === '') throw missingParameter('volumeId');
    const description = checkedDescription(input.Description);
    const tags = tagsOfSpecifications(input.TagSpecifications, 'snapshot');
    if (DryRun === true) throw dryRunOperation();
    const volume = await this.volume(VolumeId, context);
    const snapshotId = newSnapshotId();
    const at = await this.take(snapshotId, volume, { description, tags }, context);
    return {
      SnapshotId: snapshotId,
      VolumeId: volume.volumeId,
      State: 'pending',
      StartTime: at,
      Progress: '',
      OwnerId: context.accountId,
      Description: description,
      VolumeSize: volume.sizeGiB,
      Encrypted: volume.dataKey !== null,
      Tags: tagList(tags),
    };
  }

  /** @returns when it was begun. */
  private async take(
    snapshotId: SnapshotId,
    volume: VolumeRecord,
    { description, tags }: { description: string; tags: Tags },
    context: RequestContext,
  ): Promise<Instant> {
    await checkSnapshotCount(this.table, 1, context);
    await checkVolumeQuotas(this, volume, context);
    const { volumeId, sizeGiB: volumeSizeGiB, dataKey } = volume;
    const { accountId: ownerId, region } = context;
    const at = this.clock.instant();
    await this.snapshots.handle(
      { type: 'CreateSnapshot', snapshotId, ownerId, region, volumeId, volumeSizeGiB, dataKey, description, tags, at },
      { caller: callerOf(context) },
    );
    // Whoever was told of the snapshot may write on: so its point in time is fixed before.
    try {
      await this.requests.call('data-plane', 'FreezeSnapshot', { snapshotId, volumeId }, context);
    } catch (error) {
      if (!(error instanceof AwsError)) throw error; // Whoever follows the snapshot tries again.
      // A refusal by a host is none of EC2's errors: to the caller something went wrong inside.
      if (error.code !== 'VolumeNotFound') throw new Error(`freezing was refused: ${error.code}`, { cause: error });
      // Deleted since it was looked at. Nobody was told of the snapshot, so nobody else would delete it.
      const forget = { type: 'DeleteSnapshot', snapshotId, at: this.clock.instant() } as const;
      await this.snapshots.handle(forget, { caller: callerOf(context) });
      throw refusal('VolumeNotFound', { volumeId });
    }
    return at;
  }

  private async volume(text: string, context: RequestContext): Promise<VolumeRecord> {
    const volumeId = parseVolumeId(text);
    if (volumeId === null)
      throw invalidParameterValue(`Value (${text}) for parameter volumeId is invalid. Expected: 'vol-...'.`);
    const volume = await this.requests.call('volumes', 'GetVolume', { volumeId }, context);
    if (volume === null) throw refusal('VolumeNotFound', { volumeId });
    if (volume.state !== 'available' && volume.state !== 'in-use') throw refusal('VolumeNotReady', { volumeId });
    return volume;
  }
}
