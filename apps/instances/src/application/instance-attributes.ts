import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { defaultVpc, SECURITY_GROUP_NAME } from '../domain/default-vpc.ts';
import { instanceType as typeNamed } from '../domain/instance-types.ts';
import { deviceMappings } from './described-instance.ts';
import { ownInstance } from './own-instance.ts';
import type { Attachments, InstanceRow, InstanceStreams, InstanceTable } from './ports.ts';

type Nothing = Record<string, never>;
type Describe = (row: InstanceRow, context: RequestContext) => Promise<ec2.InstanceAttribute> | ec2.InstanceAttribute;

/** Describe- and ModifyInstanceAttribute, as far as an instance here has the attribute. */
export class InstanceAttributes {
  private readonly attributes: Readonly<Record<string, Describe>>;

  constructor(
    private readonly streams: InstanceStreams,
    private readonly instances: InstanceTable,
    attachments: Attachments,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {
    this.attributes = {
      blockDeviceMapping: async ({ instanceId }, context) => ({
        BlockDeviceMappings: deviceMappings(await attachments.of([instanceId], context)),
      }),
      disableApiTermination: ({ disableApiTermination }) => ({
        DisableApiTermination: { Value: disableApiTermination },
      }),
      disableApiStop: () => ({ DisableApiStop: { Value: false } }),
      ebsOptimized: () => ({ EbsOptimized: { Value: false } }),
      enaSupport: ({ instanceType }) => ({ EnaSupport: { Value: typeNamed(instanceType)?.hypervisor === 'nitro' } }),
      enclaveOptions: () => ({ EnclaveOptions: { Enabled: false } }),
      groupSet: ({ accountId, region }) => ({ Groups: [groupOf(accountId, region)] }),
      instanceInitiatedShutdownBehavior: () => ({ InstanceInitiatedShutdownBehavior: { Value: 'stop' } }),
      instanceType: ({ instanceType }) => ({ InstanceType: { Value: instanceType } }),
      kernel: () => ({ KernelId: {} }),
      ramdisk: () => ({ RamdiskId: {} }),
      sourceDestCheck: () => ({ SourceDestCheck: { Value: true } }),
      sriovNetSupport: () => ({ SriovNetSupport: {} }),
      userData: () => ({ UserData: {} }),
      productCodes: () => ({ ProductCodes: [] }),
      rootDeviceName: ({ rootDeviceName }) => ({ RootDeviceName: { Value: rootDeviceName ?? undefined } }),
    };
  }

  async describe(
    input: Partial<ec2.DescribeInstanceAttributeRequest>,
    context: RequestContext,
  ): Promise<ec2.InstanceAttribute> {
    const { InstanceId, Attribute, DryRun } = input;
    if (Attribute === undefined || Attribute === '') throw missingParameter('attribute');
    const describe = Object.hasOwn(this.attributes, Attribute) ? this.attributes[Attribute] : undefined;
    if (describe === undefined)
      throw invalidParameterValue(`Value (${Attribute}) for parameter attribute is invalid. Unknown attribute.`);
    const row = await ownInstance(this.instances, InstanceId, context);
    if (DryRun === true) throw dryRunOperation();
    return { InstanceId: row.instanceId, ...(await describe(row, context)) };
  }

  /** Either form of the request: the attribute's own member, or `Attribute` and `Value`. */
  async modify(input: Partial<ec2.ModifyInstanceAttributeRequest>, context: RequestContext): Promise<Nothing> {
    const { InstanceId, BlockDeviceMappings = [], DisableApiTermination, Attribute, Value, DryRun, ...others } = input;
    const { isAsItIs, ...rest } = exceptAsItIs(others, context);
    refuseParameters(rest);
    if (Attribute !== undefined && Attribute !== 'disableApiTermination' && Attribute !== 'blockDeviceMapping')
      refuseParameters({ Attribute });
    const disableApiTermination =
      DisableApiTermination?.Value ?? (Attribute === 'disableApiTermination' ? booleanOf(Value) : undefined);
    if (BlockDeviceMappings.length > 0 && disableApiTermination !== undefined)
      throw invalidParameterCombination('Fields for multiple attribute types specified');
    if (BlockDeviceMappings.length === 0 && disableApiTermination === undefined && !isAsItIs)
      throw invalidParameterCombination('No attributes specified.');
    const devices = BlockDeviceMappings.map(changedDevice);
    const { instanceId } = await ownInstance(this.instances, InstanceId, context);
    if (DryRun === true) throw dryRunOperation();
    if (devices.length > 0)
      await this.requests.call('volumes', 'SetDeleteOnTermination', { instanceId, devices }, context);
    if (disableApiTermination !== undefined) {
      const at = this.clock.instant();
      const command = { type: 'ProtectFromTermination', instanceId, disableApiTermination, at } as const;
      await this.streams.handle(command, callerOf(context));
    }
    return {};
  }
}

const groupOf = (accountId: string, region: string) => ({
  GroupId: defaultVpc(accountId, region).securityGroupId,
  GroupName: SECURITY_GROUP_NAME,
});

type Others = Omit<Partial<ec2.ModifyInstanceAttributeRequest>, 'InstanceId' | 'DryRun'>;

/** Some clients set an attribute to what it is; any other value is refused. */
const exceptAsItIs = (
  { DisableApiStop, EbsOptimized, SourceDestCheck, InstanceInitiatedShutdownBehavior, Groups, ...rest }: Others,
  { accountId, region }: RequestContext,
) => {
  const { GroupId } = groupOf(accountId, region);
  const asItIs = {
    DisableApiStop: DisableApiStop?.Value === false,
    EbsOptimized: EbsOptimized?.Value === false,
    SourceDestCheck: SourceDestCheck?.Value === true,
    InstanceInitiatedShutdownBehavior: InstanceInitiatedShutdownBehavior?.Value === 'stop',
    Groups: Groups?.length === 1 && Groups[0] === GroupId,
  };
  const given = { DisableApiStop, EbsOptimized, SourceDestCheck, InstanceInitiatedShutdownBehavior, Groups };
  const changed = Object.entries(given).filter(([name]) => !asItIs[name as keyof typeof asItIs]);
  return { ...rest, ...Object.fromEntries(changed), isAsItIs: Object.values(asItIs).includes(true) };
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
