import type { ec2 } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterValue, missingParameter } from '@holdfast/ec2';
import { defaultVpc, SECURITY_GROUP_NAME } from '../domain/default-vpc.ts';
import { isSourceDestChecked } from '../domain/instance-settings.ts';
import { isEnaSupported } from '../domain/instance-types.ts';
import { deviceMappings } from './described-instance.ts';
import { ownInstance } from './own-instance.ts';
import type { Attachments, InstanceRow, InstanceTable } from './ports.ts';

type Describe = (row: InstanceRow, context: RequestContext) => Promise<ec2.InstanceAttribute> | ec2.InstanceAttribute;

/** DescribeInstanceAttribute; what no instance here has is told as EC2 tells its default. */
export class InstanceAttributes {
  private readonly attributes: Readonly<Record<string, Describe>>;

  constructor(
    private readonly instances: InstanceTable,
    attachments: Attachments,
  ) {
    this.attributes = {
      blockDeviceMapping: async ({ instanceId }, context) => ({
        BlockDeviceMappings: deviceMappings(await attachments.of([instanceId], context)),
      }),
      disableApiTermination: ({ disableApiTermination }) => ({
        DisableApiTermination: { Value: disableApiTermination },
      }),
      disableApiStop: ({ settings }) => ({ DisableApiStop: { Value: settings.disableApiStop ?? false } }),
      ebsOptimized: ({ settings }) => ({ EbsOptimized: { Value: settings.ebsOptimized ?? false } }),
      enaSupport: ({ instanceType }) => ({ EnaSupport: { Value: isEnaSupported(instanceType) } }),
      enclaveOptions: () => ({ EnclaveOptions: { Enabled: false } }),
      groupSet: ({ accountId, region }) => ({ Groups: [groupOf(accountId, region)] }),
      instanceInitiatedShutdownBehavior: ({ settings }) => ({
        InstanceInitiatedShutdownBehavior: { Value: settings.shutdownBehavior ?? 'stop' },
      }),
      instanceType: ({ instanceType }) => ({ InstanceType: { Value: instanceType } }),
      kernel: () => ({ KernelId: {} }),
      ramdisk: () => ({ RamdiskId: {} }),
      sourceDestCheck: ({ settings }) => ({ SourceDestCheck: { Value: isSourceDestChecked(settings) } }),
      sriovNetSupport: () => ({ SriovNetSupport: {} }),
      userData: ({ settings: { userData = '' } }) => ({ UserData: userData === '' ? {} : { Value: userData } }),
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
}

const groupOf = (accountId: string, region: string) => ({
  GroupId: defaultVpc(accountId, region).securityGroupId,
  GroupName: SECURITY_GROUP_NAME,
});
