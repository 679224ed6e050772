import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext, type VolumeId } from '@holdfast/contracts';
import { describePage, dryRunOperation, missingParameter, type PageTokens } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import type { RecycledVolume, RecycledVolumes, VolumeStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

const MAXIMUM_PAGE = 500;

/** ListVolumesInRecycleBin and RestoreVolumeFromRecycleBin. */
export class RecycleBin {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly table: RecycledVolumes,
    private readonly tokens: PageTokens,
    private readonly clock: Clock,
  ) {}

  async list(
    input: ec2.ListVolumesInRecycleBinRequest,
    context: RequestContext,
  ): Promise<ec2.ListVolumesInRecycleBinResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const volumeIds = (input.VolumeIds ?? []).map(volumeIdOf);
    const { items, NextToken } = await describePage(
      input,
      context,
      {
        action: 'ListVolumesInRecycleBin',
        tokens: this.tokens,
        maximum: MAXIMUM_PAGE,
        ids: volumeIds,
        idsParameter: 'volumeIdsSet',
      },
      async (window) => {
        const rows = await this.table.list({ volumeIds, ...window }, context);
        const missing = volumeIds.find((id) => !rows.some(({ volumeId }) => volumeId === id));
        if (missing !== undefined) throw refusal('VolumeNotInBin', { volumeId: missing });
        return rows;
      },
      recycledView,
    );
    return { Volumes: items, NextToken };
  }

  async restore(
    input: Partial<ec2.RestoreVolumeFromRecycleBinRequest>,
    context: RequestContext,
  ): Promise<ec2.RestoreVolumeFromRecycleBinResult> {
    const volumeId = volumeIdOf(input.VolumeId);
    const { created, status, exitsAt } = await this.volumes.load(volumeId);
    const at = this.clock.instant();
    const isOver = exitsAt === null || exitsAt <= at;
    const isOwn = created?.accountId === context.accountId && created.region === context.region;
    if (!isOwn || status !== 'recycled' || isOver) throw refusal('VolumeNotInBin', { volumeId });
    if (input.DryRun === true) throw dryRunOperation();
    await this.volumes.handle({ type: 'RestoreFromBin', volumeId, at }, { caller: callerOf(context) });
    return { Return: true };
  }
}

const volumeIdOf = (text = ''): VolumeId => {
  if (text === '') throw missingParameter('VolumeId');
  const volumeId = parseVolumeId(text);
  if (volumeId === null) throw refusal('VolumeIdMalformed', { volumeId: text });
  return volumeId;
};

/** One that is in the bin is `available` once it is restored, and no other ever gets there. */
const recycledView = (volume: RecycledVolume): ec2.VolumeRecycleBinInfo => ({
  VolumeId: volume.volumeId,
  VolumeType: volume.volumeType as ec2.VolumeType,
  State: 'available',
  Size: volume.sizeGiB,
  Iops: volume.iops ?? undefined,
  Throughput: volume.throughputMiBps ?? undefined,
  AvailabilityZone: volume.availabilityZone,
  AvailabilityZoneId: volume.availabilityZoneId,
  SnapshotId: volume.snapshotId,
  Operator: { Managed: false, HiddenByDefault: false },
  CreateTime: volume.createTime,
  RecycleBinEnterTime: volume.recycledAt,
  RecycleBinExitTime: volume.exitsAt,
});
