import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext } from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { defaultVpc } from '../domain/default-vpc.ts';
import type { InstanceCommand } from '../domain/instance.decider.ts';
import { type InstanceSettings, metadataOptionsOf, needsStop } from '../domain/instance-settings.ts';
import { instanceType as typeNamed } from '../domain/instance-types.ts';
import { describedMetadataOptions } from './described-instance.ts';
import { incorrectState, notStopped, refusedLate } from './instance-refusals.ts';
import { ownInstance } from './own-instance.ts';
import type { Attachments, InstanceRow, InstanceStreams, InstanceTable } from './ports.ts';
import {
  changedMetadataOptions,
  checkedBehavior,
  checkedCredits,
  checkedOptimization,
  checkedUserData,
} from './requested-settings.ts';

type Nothing = Record<string, never>;
type Input = Partial<ec2.ModifyInstanceAttributeRequest>;
type WithoutTime<Timed> = Timed extends unknown ? Omit<Timed, 'at'> : never;
type Command = WithoutTime<
  Extract<InstanceCommand, { type: 'ProtectFromTermination' | 'ChangeSettings' | 'ChangeType' }>
>;

/** ModifyInstanceAttribute, -MetadataOptions and -CreditSpecification. */
export class ModifyInstance {
  constructor(
    private readonly streams: InstanceStreams,
    private readonly instances: InstanceTable,
    private readonly attachments: Attachments,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** One attribute at a time, in either form of the request: the attribute's own member, or `Attribute` and `Value`. */
  async attribute(input: Input, context: RequestContext): Promise<Nothing> {
    const { InstanceId, BlockDeviceMappings = [], Attribute, Value, DryRun, ...others } = input;
    const members = { ...others, ...memberOf(Attribute, Value) };
    const { isAsItIs, ...rest } = exceptAsItIs(members, context);
    const { DisableApiTermination, DisableApiStop, InstanceType, UserData, ...unknown } = rest;
    const { EbsOptimized, SourceDestCheck, InstanceInitiatedShutdownBehavior, ...more } = unknown;
    refuseParameters(more);
    const known = { DisableApiTermination, DisableApiStop, InstanceType, UserData, EbsOptimized };
    const changes = { ...known, SourceDestCheck, InstanceInitiatedShutdownBehavior };
    const count = Object.values(changes).filter((value) => value !== undefined).length;
    if (count + Math.min(BlockDeviceMappings.length, 1) > 1)
      throw invalidParameterCombination('Fields for multiple attribute types specified');
    if (count === 0 && BlockDeviceMappings.length === 0 && !isAsItIs)
      throw invalidParameterCombination('No attributes specified.');
    const devices = BlockDeviceMappings.map(changedDevice);
    const row = await ownInstance(this.instances, InstanceId, context);
    const command = count === 0 ? null : await this.command(changes, row, context);
    if (DryRun === true) throw dryRunOperation();
    const { instanceId } = row;
    if (devices.length > 0)
      await this.requests.call('volumes', 'SetDeleteOnTermination', { instanceId, devices }, context);
    if (command !== null) await this.handle(command, context);
    return {};
  }

  /** In force at once. */
  async metadataOptions(
    { InstanceId, DryRun, ...options }: Partial<ec2.ModifyInstanceMetadataOptionsRequest>,
    context: RequestContext,
  ): Promise<ec2.ModifyInstanceMetadataOptionsResult> {
    const { instanceId, settings, state } = await ownInstance(this.instances, InstanceId, context);
    const metadataOptions = changedMetadataOptions(options, metadataOptionsOf(settings));
    if (state !== 'running' && state !== 'stopped') throw incorrectState(instanceId, 'modified');
    if (DryRun === true) throw dryRunOperation();
    await this.handle({ type: 'ChangeSettings', instanceId, settings: { metadataOptions } }, context);
    return { InstanceId: instanceId, InstanceMetadataOptions: describedMetadataOptions({ metadataOptions }) };
  }

  /** Each of them for itself; a token is not needed to repeat it. */
  async creditSpecification(
    {
      InstanceCreditSpecifications = [],
      ClientToken: _,
      DryRun,
    }: Partial<ec2.ModifyInstanceCreditSpecificationRequest>,
    context: RequestContext,
  ): Promise<ec2.ModifyInstanceCreditSpecificationResult> {
    if (InstanceCreditSpecifications.length === 0) throw missingParameter('InstanceCreditSpecification');
    if (DryRun === true) throw dryRunOperation();
    const done: ec2.SuccessfulInstanceCreditSpecificationItem[] = [];
    const failed: ec2.UnsuccessfulInstanceCreditSpecificationItem[] = [];
    for (const { InstanceId, CpuCredits } of InstanceCreditSpecifications) {
      try {
        const { instanceId, instanceType } = await ownInstance(this.instances, InstanceId, context);
        const settings = { cpuCredits: checkedCredits(CpuCredits, instanceType) };
        await this.handle({ type: 'ChangeSettings', instanceId, settings }, context);
        done.push({ InstanceId: instanceId });
      } catch (error) {
        if (!(error instanceof AwsError)) throw error;
        const Code = unsuccessful(error.code);
        failed.push({ InstanceId, Error: { Code, Message: error.message } });
      }
    }
    return { SuccessfulInstanceCreditSpecifications: done, UnsuccessfulInstanceCreditSpecifications: failed };
  }

  private async handle(command: Command, context: RequestContext): Promise<void> {
    await this.streams.handle({ ...command, at: this.clock.instant() }, callerOf(context)).catch((error: unknown) => {
      throw refusedLate(error, command.instanceId);
    });
  }

  /** The one change that is given, checked against the instance as it is. */
  private async command(
    { DisableApiTermination, InstanceType, ...given }: Input,
    row: InstanceRow,
    context: RequestContext,
  ): Promise<Command | null> {
    const { instanceId } = row;
    if (DisableApiTermination !== undefined)
      return {
        type: 'ProtectFromTermination',
        instanceId,
        disableApiTermination: DisableApiTermination.Value === true,
      };
    if (InstanceType !== undefined) {
      const { Value: instanceType = '' } = InstanceType;
      await this.checkType(instanceType, row, context);
      return { type: 'ChangeType', instanceId, instanceType };
    }
    const settings = changedSettings(given, row);
    if (needsStop(settings) && row.state !== 'stopped') throw notStopped(instanceId);
    return { type: 'ChangeSettings', instanceId, settings };
  }

  /** The new type must be able to have the volumes that are attached. */
  private async checkType(name: string, row: InstanceRow, context: RequestContext): Promise<void> {
    const type = typeNamed(name);
    if (type === null) throw invalidParameterValue(`Invalid value '${name}' for InstanceType.`);
    if (row.state !== 'stopped') throw notStopped(row.instanceId);
    const attached = await this.attachments.of([row.instanceId], context);
    if (attached.length > type.maximumEbsAttachments)
      throw new AwsError({
        code: 'AttachmentLimitExceeded',
        message: `Instance type '${name}' supports at most ${String(type.maximumEbsAttachments)} attached volumes.`,
      });
    if (!type.ebsEncryptionSupported && typeNamed(row.instanceType)?.ebsEncryptionSupported === true)
      throw new AwsError({
        code: 'UnsupportedOperation',
        message: `The instance type '${name}' does not support encrypted volumes, which '${row.instanceType}' does.`,
      });
  }
}

const unsuccessful = (code: string): ec2.UnsuccessfulInstanceCreditSpecificationErrorCode => {
  if (code === 'InvalidInstanceID.NotFound' || code === 'InvalidInstanceID.Malformed') return code;
  return code === 'IncorrectInstanceState' ? code : 'InstanceCreditSpecification.NotSupported';
};

const changedSettings = (
  { UserData, DisableApiStop, EbsOptimized, SourceDestCheck, InstanceInitiatedShutdownBehavior: behavior }: Input,
  { instanceType }: InstanceRow,
): InstanceSettings => {
  if (UserData !== undefined) return { userData: checkedUserData(UserData.Value ?? '') };
  if (DisableApiStop !== undefined) return { disableApiStop: DisableApiStop.Value === true };
  if (SourceDestCheck !== undefined) return { sourceDestCheck: SourceDestCheck.Value === true };
  if (behavior !== undefined) return { shutdownBehavior: checkedBehavior(behavior.Value) };
  return { ebsOptimized: EbsOptimized?.Value === true && checkedOptimization(instanceType) };
};

/** The form of old: the attribute's name, and a text. */
const memberOf = (name: string | undefined, value: string | undefined): Partial<Input> => {
  if (name === undefined || name === '' || name === 'blockDeviceMapping') return {};
  switch (name) {
    case 'disableApiTermination':
      return { DisableApiTermination: { Value: booleanOf(value) } };
    case 'disableApiStop':
      return { DisableApiStop: { Value: booleanOf(value) } };
    case 'ebsOptimized':
      return { EbsOptimized: { Value: booleanOf(value) } };
    case 'instanceInitiatedShutdownBehavior':
      return { InstanceInitiatedShutdownBehavior: { Value: value } };
    case 'instanceType':
      return { InstanceType: { Value: value } };
    case 'sourceDestCheck':
      return { SourceDestCheck: { Value: booleanOf(value) } };
    case 'userData':
      return { UserData: { Value: value } };
    default:
      return { Attribute: name };
  }
};

/** Some clients set an attribute to what no instance here differs in; any other value is refused. */
const exceptAsItIs = ({ Groups, ...rest }: Input, { accountId, region }: RequestContext) => {
  const isInGroup = Groups?.length === 1 && Groups[0] === defaultVpc(accountId, region).securityGroupId;
  return {
    ...rest,
    ...(isInGroup ? {} : { Groups }),
    isAsItIs: isInGroup,
  };
};

const booleanOf = (value: string | undefined): boolean => {
  if (value === 'true' || value === 'false') return value === 'true';
  throw invalidParameterValue(`Value (${value ?? 'null'}) for parameter value is invalid. Expected: 'true', 'false'.`);
};

const changedDevice = ({ DeviceName, Ebs, VirtualName, NoDevice }: ec2.InstanceBlockDeviceMappingSpecification) => {
  refuseParameters({ VirtualName, NoDevice, VolumeId: Ebs?.VolumeId });
  if (DeviceName === undefined || DeviceName === '') throw missingParameter('DeviceName');
  if (Ebs?.DeleteOnTermination === undefined) throw missingParameter('DeleteOnTermination');
  return { device: DeviceName, deleteOnTermination: Ebs.DeleteOnTermination };
};
