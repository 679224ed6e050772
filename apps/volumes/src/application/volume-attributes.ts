import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext, type VolumeId } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterCombination, invalidParameterValue, missingParameter } from '@holdfast/ec2';
import type { Clock } from '@holdfast/service-kit';
import { ownVolume } from './own-volume.ts';
import type { VolumeStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { parseVolumeId } from './volume-ids.ts';

type Nothing = Record<string, never>;

/** Describe- and ModifyVolumeAttribute, EnableVolumeIO. Each has its own words for a malformed id, and looks at no id in a dry run. */
export class VolumeAttributes {
  constructor(
    private readonly volumes: VolumeStreams,
    private readonly clock: Clock,
  ) {}

  async describe(
    input: ec2.DescribeVolumeAttributeRequest,
    context: RequestContext,
  ): Promise<ec2.DescribeVolumeAttributeResult> {
    if (input.DryRun === true) throw dryRunOperation();
    const volumeId = describedId(input.VolumeId);
    const { Attribute } = input;
    if (Attribute === undefined || Attribute === '') throw invalidParameterCombination('No attributes specified.');
    if (Attribute !== 'autoEnableIO' && Attribute !== 'productCodes')
      throw invalidParameterValue(`Value (${Attribute}) for parameter attribute is invalid. Unknown attribute.`);
    const { autoEnableIo } = await ownVolume(this.volumes, volumeId, context);
    if (Attribute === 'productCodes') return { VolumeId: volumeId, ProductCodes: [] };
    return { VolumeId: volumeId, AutoEnableIO: { Value: autoEnableIo } };
  }

  async modify(input: ec2.ModifyVolumeAttributeRequest, context: RequestContext): Promise<Nothing> {
    const { VolumeId, AutoEnableIO } = input;
    if (input.DryRun === true) throw dryRunOperation();
    if (VolumeId === undefined || VolumeId === '') throw missingParameter('volumeId');
    const volumeId = parseVolumeId(VolumeId);
    if (volumeId === null) throw refusal('VolumeIdMalformed', { volumeId: VolumeId });
    const autoEnableIo = AutoEnableIO?.Value;
    if (autoEnableIo === undefined) throw invalidParameterCombination('No attributes specified.');
    await ownVolume(this.volumes, volumeId, context);
    const command = { type: 'ChangeAutoEnableIo', volumeId, autoEnableIo, at: this.clock.instant() } as const;
    await this.volumes.handle(command, { caller: callerOf(context) });
    return {};
  }

  /** I/O is never disabled here, so there is never anything to enable. */
  async enableIo(input: Partial<ec2.EnableVolumeIORequest>, context: RequestContext): Promise<never> {
    const { VolumeId } = input;
    if (input.DryRun === true) throw dryRunOperation();
    if (VolumeId === undefined || VolumeId === '') throw missingParameter('volumeId');
    const volumeId = parseVolumeId(VolumeId);
    if (volumeId === null) throw refusal('VolumeIdMalformed', { volumeId: VolumeId });
    await ownVolume(this.volumes, volumeId, context);
    throw refusal('IoAlreadyEnabled', { volumeId });
  }
}

const describedId = (text: string | undefined): VolumeId => {
  if (text === undefined || text === '')
    throw new AwsError({
      code: 'MissingParameter',
      message: 'Value (null) for parameter volumeId is invalid. Parameter may not be null or empty.',
    });
  if (!text.startsWith('vol-'))
    throw invalidParameterValue(`Value (${text}) for parameter volumeId is invalid. Expected: 'vol-...'.`);
  const volumeId = parseVolumeId(text);
  if (volumeId === null)
    throw new AwsError({
      code: 'InvalidVolumeID.Malformed',
      message: `Value ( ${text} ) for parameter VOLUME is invalid. `,
    });
  return volumeId;
};
