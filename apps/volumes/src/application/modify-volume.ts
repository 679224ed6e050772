import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext, type VolumeId } from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  unsupportedOperation,
} from '@holdfast/ec2';
import { type Requests, ServiceUnavailable } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { Modification } from '../domain/volume-modification.ts';
import { modificationView } from './modification-view.ts';
import { ownVolume } from './own-volume.ts';
import type { VolumeStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

/** Type, size and performance of a volume that exists, whether or not it is attached. Its encryption never changes. */
export class ModifyVolume {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(input: Partial<ec2.ModifyVolumeRequest>, context: RequestContext): Promise<ec2.ModifyVolumeResult> {
    const { VolumeId, Size: sizeGiB, VolumeType: volumeType, Iops: iops, Throughput: throughputMiBps } = input;
    if (VolumeId === undefined || VolumeId === '') throw missingParameter('VolumeId');
    const volumeId = parseVolumeId(VolumeId);
    if (volumeId === null) throw refusal('VolumeIdMalformed', { volumeId: VolumeId });
    const request = { sizeGiB, volumeType, iops, throughputMiBps };
    if (input.MultiAttachEnabled === undefined && Object.values(request).every((value) => value === undefined))
      throw invalidParameterValue(
        'Invalid input: Must specify at least one of size, type, iops, throughput or multi-attach.',
      );
    const { configuration, created } = await ownVolume(this.volumes, volumeId, context);
    if (input.MultiAttachEnabled === true) refuseMultiAttach(volumeType ?? configuration?.volumeType ?? '');
    if (input.DryRun === true) throw dryRunOperation();
    if (sizeGiB !== undefined && sizeGiB > (configuration?.sizeGiB ?? created.sizeGiB))
      await this.checkGrowth(volumeId, sizeGiB, context);
    const command = { type: 'ModifyVolume', volumeId, request, at: this.clock.instant() } as const;
    await this.volumes.handle(command, { caller: callerOf(context) });
    const { modification } = await this.volumes.load(volumeId);
    return { VolumeModification: modificationView(volumeId, asStarted(modification)) };
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

const refuseMultiAttach = (volumeType: string): never => {
  if (volumeType === 'io1' || volumeType === 'io2')
    throw unsupportedOperation('The parameter MultiAttachEnabled is not supported.');
  throw invalidParameterCombination(`The parameter multi-attach-enabled is not supported for ${volumeType} volumes.`);
};

/** The answer is that it began, however far it has got meanwhile. */
const asStarted = (modification: Modification | null) => {
  if (modification === null) throw new Error('a volume was modified without a modification');
  const { original, target, startedAt: startTime } = modification;
  return { state: 'modifying', original, target, startTime, endTime: null, progress: 0, statusMessage: null } as const;
};
