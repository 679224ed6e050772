import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, type RequestContext, zonesOf } from '@holdfast/contracts';
import {
  checkClientToken,
  invalidParameterCombination,
  invalidParameterValue,
  missingParameter,
  refuseParameters,
  tagsOfSpecifications,
} from '@holdfast/ec2';
import { defaultVpc, SECURITY_GROUP_NAME, subnetOf } from '../domain/default-vpc.ts';
import type { InstanceSettings } from '../domain/instance-settings.ts';
import { instanceType, type InstanceType } from '../domain/instance-types.ts';
import { settingsOfLaunch } from './requested-settings.ts';

/** EC2's default when InstanceType is omitted. @see RunInstances */
const DEFAULT_INSTANCE_TYPE = 'm1.small';
/** Ours: a request for more records than this is a mistake. */
const MAX_INSTANCES = 1000;

/** What RunInstances asks for, its image, block devices and credentials aside. */
export interface LaunchWish {
  type: InstanceType;
  count: number;
  availabilityZone: string;
  tags: Record<string, string>;
  volumeTags: Record<string, string>;
  disableApiTermination: boolean;
  settings: InstanceSettings;
}

type Input = ec2.RunInstancesRequest;

/** @throws AwsError in the order and with the texts of EC2. */
export const launchWish = (input: Input, context: RequestContext): LaunchWish => {
  const { InstanceType, MinCount, MaxCount, ClientToken, TagSpecifications, DisableApiTermination, ...others } = input;
  const { ImageId: _image, BlockDeviceMappings: _devices, DryRun: _dryRun, ...rest } = others;
  const { Placement, SubnetId, SecurityGroupIds, SecurityGroups, NetworkInterfaces, ...unknown } = rest;
  refuseParameters(exceptAsItIs(unknown));
  checkClientToken(ClientToken);
  const name = InstanceType ?? DEFAULT_INSTANCE_TYPE;
  const type = instanceType(name);
  if (type === null) throw invalidParameterValue(`Invalid value '${name}' for InstanceType.`);
  const count = checkedCount(MinCount, MaxCount);
  const ofVolumes = (TagSpecifications ?? []).filter(({ ResourceType }) => ResourceType === 'volume');
  const ofOthers = (TagSpecifications ?? []).filter(({ ResourceType }) => ResourceType !== 'volume');
  const tags = { ...tagsOfSpecifications(ofOthers, 'instance') };
  const volumeTags = { ...tagsOfSpecifications(ofVolumes, 'volume') };
  const network = networkInterface(NetworkInterfaces, { SubnetId, SecurityGroupIds, SecurityGroups });
  checkGroups(network, context);
  const availabilityZone = checkedZone(Placement, network.SubnetId, context);
  const settings = settingsOfLaunch(input, name);
  const disableApiTermination = DisableApiTermination ?? false;
  return { type, count, availabilityZone, tags, volumeTags, disableApiTermination, settings };
};

/** Some clients say what holds anyway; asking for anything else is refused. */
const exceptAsItIs = ({
  // Settings and credentials, which are read elsewhere.
  UserData: _userData,
  CreditSpecification: _credits,
  DisableApiStop: _stop,
  InstanceInitiatedShutdownBehavior: _behavior,
  EbsOptimized: _optimized,
  MetadataOptions: _metadata,
  Monitoring: _monitoring,
  IamInstanceProfile: _profile,
  KeyName: _keyName,
  EnclaveOptions,
  HibernationOptions,
  ...unknown
}: Partial<Input>): Record<string, unknown> => ({
  ...unknown,
  EnclaveOptions: EnclaveOptions?.Enabled === true ? true : undefined,
  HibernationOptions: HibernationOptions?.Configured === true ? true : undefined,
});

type Network = Pick<Input, 'SubnetId' | 'SecurityGroupIds' | 'SecurityGroups'>;

/** An instance's one interface may be described in the request, or by it. */
const networkInterface = (interfaces: Input['NetworkInterfaces'] = [], request: Network): Network => {
  const [only, ...more] = interfaces;
  if (only === undefined) return request;
  if (more.length > 0) refuseParameters({ 'NetworkInterface.2': more });
  if (Object.values(request).some((value) => value !== undefined && value.length > 0))
    throw invalidParameterCombination(
      'Network interfaces and an instance-level subnet ID or security groups may not be specified on the same request',
    );
  const { DeviceIndex, SubnetId, Groups, DeleteOnTermination, AssociatePublicIpAddress, InterfaceType, ...rest } = only;
  refuseParameters({
    ...rest,
    NetworkCardIndex: rest.NetworkCardIndex === 0 ? undefined : rest.NetworkCardIndex,
    DeviceIndex: DeviceIndex === 0 ? undefined : DeviceIndex,
    DeleteOnTermination: DeleteOnTermination === false ? false : undefined,
    AssociatePublicIpAddress: AssociatePublicIpAddress === true ? true : undefined,
    InterfaceType: InterfaceType === 'interface' ? undefined : InterfaceType,
  });
  return { SubnetId, SecurityGroupIds: Groups };
};

/** The default group is the only one, and every instance is in it. */
const checkGroups = ({ SecurityGroupIds = [], SecurityGroups = [] }: Network, context: RequestContext): void => {
  const { securityGroupId, vpcId } = defaultVpc(context.accountId, context.region);
  const id = SecurityGroupIds.find((group) => group !== securityGroupId);
  if (id !== undefined)
    throw new AwsError({ code: 'InvalidGroup.NotFound', message: `The security group '${id}' does not exist` });
  const name = SecurityGroups.find((group) => group !== SECURITY_GROUP_NAME && group !== securityGroupId);
  if (name !== undefined)
    throw new AwsError({
      code: 'InvalidGroup.NotFound',
      message: `The security group '${name}' does not exist in VPC '${vpcId}'`,
    });
};

const checkedCount = (minimum: number | undefined, maximum: number | undefined): number => {
  if (minimum === undefined) throw missingParameter('MinCount');
  if (maximum === undefined) throw missingParameter('MaxCount');
  for (const [name, value] of [
    ['minCount', minimum],
    ['maxCount', maximum],
  ] as const) {
    if (value < 1 || value > MAX_INSTANCES) {
      throw invalidParameterValue(`Value (${String(value)}) for parameter ${name} is invalid.`);
    }
  }
  if (minimum > maximum) {
    throw invalidParameterValue(
      `Value (${String(minimum)}) for parameter minCount is invalid. It must not exceed maxCount.`,
    );
  }
  return maximum;
};

/** The subnet's, or the one that is asked for, or the first. */
const checkedZone = (placement: ec2.Placement = {}, subnetId: string | undefined, context: RequestContext): string => {
  const { AvailabilityZone, AvailabilityZoneId, Tenancy, GroupName, ...rest } = placement;
  refuseParameters({
    ...rest,
    Tenancy: Tenancy === 'default' ? undefined : Tenancy,
    GroupName,
  });
  const zones = zonesOf(context.region);
  const named = [AvailabilityZone, AvailabilityZoneId].find((zone) => zone !== undefined && zone !== '');
  const zone = zones.find(({ zoneName, zoneId }) => named === zoneName || named === zoneId);
  if (named !== undefined && zone === undefined) throw invalidParameterValue(`Invalid availability zone: [${named}]`);
  const vpc = defaultVpc(context.accountId, context.region);
  if (subnetId === undefined || subnetId === '') return zone?.zoneName ?? zones[0]?.zoneName ?? '';
  const subnet = vpc.subnets.find((known) => known.subnetId === subnetId);
  if (subnet === undefined)
    throw new AwsError({
      code: 'InvalidSubnetID.NotFound',
      message: `The subnet ID '${subnetId}' does not exist`,
    });
  if (zone !== undefined && subnetOf(vpc, zone.zoneName)?.subnetId !== subnetId)
    throw invalidParameterValue(
      `The availability zone '${zone.zoneName}' does not match the availability zone '${subnet.zoneName}' of the subnet '${subnetId}'`,
    );
  return subnet.zoneName;
};
