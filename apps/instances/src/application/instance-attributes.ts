import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type InstanceId, type RequestContext } from '@holdfast/contracts';
import {
  dryRunOperation,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
} from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { deviceMappings } from './described-instance.ts';
import { checkedIdsExist, checkInstanceIds } from './instance-ids.ts';
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
      instanceType: ({ instanceType }) => ({ InstanceType: { Value: instanceType } }),
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
    const row = await this.row(InstanceId, context);
    if (DryRun === true) throw dryRunOperation();
    return { InstanceId: row.instanceId, ...(await describe(row, context)) };
  }

  /** Either form of the request: the attribute's own member, or `Attribute` and `Value`. */
  async modify(input: Partial<ec2.ModifyInstanceAttributeRequest>, context: RequestContext): Promise<Nothing> {
    const { InstanceId, BlockDeviceMappings = [], DisableApiTermination, Attribute, Value, DryRun, ...rest } = input;
    refuseParameters({ ...rest });
    if (Attribute !== undefined && Attribute !== 'disableApiTermination' && Attribute !== 'blockDeviceMapping')
      refuseParameters({ Attribute });
    const disableApiTermination =
      DisableApiTermination?.Value ?? (Attribute === 'disableApiTermination' ? booleanOf(Value) : undefined);
    if (BlockDeviceMappings.length > 0 && disableApiTermination !== undefined)
      throw invalidParameterCombination('Fields for multiple attribute types specified');
    if (BlockDeviceMappings.length === 0 && disableApiTermination === undefined)
      throw invalidParameterCombination('No attributes specified.');
    const devices = BlockDeviceMappings.map(changedDevice);
    const { instanceId } = await this.row(InstanceId, context);
    if (DryRun === true) throw dryRunOperation();
    if (disableApiTermination === undefined)
      await this.requests.call('volumes', 'SetDeleteOnTermination', { instanceId, devices }, context);
    else {
      const at = this.clock.instant();
      const command = { type: 'ProtectFromTermination', instanceId, disableApiTermination, at } as const;
      await this.streams.handle(command, callerOf(context));
    }
    return {};
  }

  private async row(id: string | undefined, { accountId, region }: RequestContext): Promise<InstanceRow> {
    if (id === undefined || id === '') throw missingParameter('InstanceId');
    checkInstanceIds([id]);
    const row = await this.instances.byId(id as InstanceId);
    const found = row?.accountId === accountId && row.region === region ? [row] : [];
    checkedIdsExist([id], found);
    return found[0] ?? missing();
  }
}

const missing = (): never => {
  throw new Error('an instance that exists has no row');
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
