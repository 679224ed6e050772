import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext, type VolumeId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { dryRunOperation, invalidParameterValue, missingParameter, unsupportedOperation } from '@holdfast/ec2';
import { type Requests, ServiceUnavailable } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { type Modification, type ModificationRequest, modifiedConfiguration } from '../domain/volume-modification.ts';
import { checkVolumeQuotas, type VolumeQuotas } from '../domain/volume-quotas.ts';
import type { VolumeState } from '../domain/volume-state.ts';
import type { VolumeConfiguration } from '../domain/volume-type-limits.ts';
import { modificationView } from './modification-view.ts';
import { ownVolume } from './own-volume.ts';
import type { VolumeStreams, VolumeTable } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

/** Type, size and performance of a volume that exists, whether or not it is attached. Its encryption never changes. */
export class ModifyVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly table: Pick<VolumeTable, 'usage'>,
    private readonly quotas: VolumeQuotas,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.ModifyVolumeRequest>, context: RequestContext): Promise<ec2.ModifyVolumeResult> {
    const { VolumeId, Size: sizeGiB, VolumeType: volumeType, Iops: iops, Throughput: throughputMiBps } = input;
    if (VolumeId === undefined || VolumeId === '') throw missingParameter('VolumeId');
    // Before the id is looked at, as EC2 does.
    if (input.DryRun === true) throw dryRunOperation();
    const volumeId = parseVolumeId(VolumeId);
    if (volumeId === null) throw refusal('VolumeIdMalformed', { volumeId: VolumeId });
    const request = { sizeGiB, volumeType, iops, throughputMiBps, multiAttachEnabled: input.MultiAttachEnabled };
    if (Object.values(request).every((value) => value === undefined))
      throw invalidParameterValue(
        'Invalid input: Must specify at least one of size, type, iops, throughput or multi-attach.',
      );
    const state = await ownVolume(this.volumes, volumeId, context);
    const { configuration, created } = state;
    if (sizeGiB !== undefined && sizeGiB > (configuration?.sizeGiB ?? created.sizeGiB))
      await this.checkGrowth(volumeId, sizeGiB, context);
    await this.checkQuotas(state, request, context);
    const command = { type: 'ModifyVolume', volumeId, request, at: this.clock.instant() } as const;
    await this.volumes.handle(command, { caller: callerOf(context) });
    const { modification } = await this.volumes.load(volumeId);
    return { VolumeModification: modificationView(volumeId, asStarted(modification)) };
  }

  /** What the volume has counts no longer, if it is of the type that it becomes. */
  private async checkQuotas(
    { configuration }: VolumeState,
    request: ModificationRequest,
    context: RequestContext,
  ): Promise<void> {
    const target = configuration === null ? null : targetOf(configuration, request);
    if (configuration === null || target === null) return;
    const usage = await this.table.usage(target.volumeType, context);
    const own = target.volumeType === configuration.volumeType ? configuration : { sizeGiB: 0, iops: 0 };
    if (target.sizeGiB <= own.sizeGiB && (target.iops ?? 0) <= (own.iops ?? 0)) return;
    const others = { storageGiB: usage.storageGiB - own.sizeGiB, iops: usage.iops - (own.iops ?? 0) };
    checkVolumeQuotas(others, target, this.quotas);
  }

  /** A host that can't make devices larger is asked before anything is promised. */
  private async checkGrowth(volumeId: VolumeId, sizeGiB: number, context: RequestContext): Promise<void> {
    try {
      await this.requests.call('data-plane', 'CheckGrowth', { volumeId, sizeGiB }, context);
    } catch (error) {
      if (!(error instanceof ServiceUnavailable)) throw error;
      throw unsupportedOperation('The size of a volume cannot be changed here.');
    }
  }
}

/** Null: the decider will say what is wrong with it. */
const targetOf = (current: VolumeConfiguration, request: ModificationRequest): VolumeConfiguration | null => {
  try {
    return modifiedConfiguration(current, request);
  } catch (error) {
    if (error instanceof DomainError) return null;
    throw error;
  }
};

/** The answer is that it began, however far it has got meanwhile. */
const asStarted = (modification: Modification | null) => {
  if (modification === null) throw new Error('a volume was modified without a modification');
  const { original, target, startedAt: startTime } = modification;
  return { state: 'modifying', original, target, startTime, endTime: null, progress: 0, statusMessage: null } as const;
};
