import type { ec2 } from '@holdfast/aws-protocol';
import type { AttachmentRecord } from '@holdfast/contracts';
import { tagList } from '@holdfast/ec2';
import { defaultVpc, networkInterfaceOf, SECURITY_GROUP_NAME, subnetOf } from '../domain/default-vpc.ts';
import {
  type InstanceSettings,
  isMonitored,
  isSourceDestChecked,
  metadataOptionsOf,
} from '../domain/instance-settings.ts';
import { isEnaSupported } from '../domain/instance-types.ts';
import type { InstanceRow } from './ports.ts';

/** @see EC2, InstanceState */
const STATE_CODES = {
  pending: 0,
  running: 16,
  'shutting-down': 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
} as const;

export const instanceState = (Name: keyof typeof STATE_CODES): ec2.InstanceState => ({ Code: STATE_CODES[Name], Name });

export const deviceMappings = (attachments: readonly AttachmentRecord[]): ec2.InstanceBlockDeviceMapping[] =>
  attachments.map(({ device, volumeId, state, attachTime, deleteOnTermination }) => ({
    DeviceName: device,
    Ebs: { VolumeId: volumeId, Status: state, AttachTime: attachTime, DeleteOnTermination: deleteOnTermination },
  }));

export const privateDnsName = (address: string, region: string): string =>
  `ip-${address.replaceAll('.', '-')}.${region === 'us-east-1' ? 'ec2.internal' : `${region}.compute.internal`}`;

/** The instance's place in its account's default VPC; of one that ended EC2 tells none. */
const networkOf = (row: InstanceRow): Partial<ec2.Instance> => {
  if (row.state === 'terminated') return { SecurityGroups: [], NetworkInterfaces: [], PrivateDnsName: '' };
  const vpc = defaultVpc(row.accountId, row.region);
  const groups = [{ GroupId: vpc.securityGroupId, GroupName: SECURITY_GROUP_NAME }];
  const SubnetId = subnetOf(vpc, row.availabilityZone)?.subnetId;
  const { networkInterfaceId, attachmentId, macAddress } = networkInterfaceOf(row.instanceId);
  const address = { PrivateIpAddress: row.privateIpAddress, PrivateDnsName: privateDnsName(row.privateIpAddress, row.region) }; // prettier-ignore
  return {
    ...address,
    VpcId: vpc.vpcId,
    SubnetId,
    SecurityGroups: groups,
    SourceDestCheck: isSourceDestChecked(row.settings),
    NetworkInterfaces: [
      {
        NetworkInterfaceId: networkInterfaceId,
        ...address,
        PrivateIpAddresses: [{ Primary: true, ...address }],
        MacAddress: macAddress,
        OwnerId: row.accountId,
        VpcId: vpc.vpcId,
        SubnetId,
        Groups: groups,
        Description: '',
        InterfaceType: 'interface',
        Ipv6Addresses: [],
        SourceDestCheck: isSourceDestChecked(row.settings),
        Status: 'in-use',
        Attachment: {
          AttachTime: row.launchTime,
          AttachmentId: attachmentId,
          DeleteOnTermination: true,
          DeviceIndex: 0,
          NetworkCardIndex: 0,
          Status: 'attached',
        },
      },
    ],
  };
};

/** Changes are in force when they are answered. */
export const describedMetadataOptions = (settings: InstanceSettings): ec2.InstanceMetadataOptionsResponse => {
  const options = metadataOptionsOf(settings);
  return {
    State: 'applied',
    HttpTokens: options.httpTokens,
    HttpPutResponseHopLimit: options.httpPutResponseHopLimit,
    HttpEndpoint: options.httpEndpoint,
    HttpProtocolIpv6: options.httpProtocolIpv6,
    InstanceMetadataTags: options.instanceMetadataTags,
  };
};

/** An instance in EC2's shape. */
export const describedInstance = (row: InstanceRow, attachments: readonly AttachmentRecord[]): ec2.Instance => ({
  InstanceId: row.instanceId,
  ImageId: row.imageId,
  State: instanceState(row.state),
  InstanceType: row.instanceType as ec2.Instance['InstanceType'],
  AmiLaunchIndex: row.launchIndex,
  LaunchTime: row.launchTime,
  Placement: { AvailabilityZone: row.availabilityZone, GroupName: '', Tenancy: 'default' },
  Monitoring: { State: isMonitored(row.settings) ? 'enabled' : 'disabled' },
  KeyName: row.keyName ?? undefined,
  IamInstanceProfile: row.instanceProfile ? { Arn: row.instanceProfile.arn, Id: row.instanceProfile.id } : undefined,
  PublicDnsName: '',
  Architecture: row.architecture as ec2.Instance['Architecture'],
  // As on AWS, of Nitro's as well.
  Hypervisor: 'xen',
  VirtualizationType: 'hvm',
  RootDeviceType: row.rootDeviceName === null ? 'instance-store' : 'ebs',
  RootDeviceName: row.rootDeviceName ?? undefined,
  ClientToken: row.clientToken ?? '',
  EbsOptimized: row.settings.ebsOptimized ?? false,
  EnaSupport: isEnaSupported(row.instanceType),
  MetadataOptions: describedMetadataOptions(row.settings),
  ...networkOf(row),
  BlockDeviceMappings: deviceMappings(attachments),
  StateTransitionReason: row.transitionReason,
  StateReason: row.stateReason === null ? undefined : { Code: row.stateReason.code, Message: row.stateReason.message },
  Tags: tagList(row.tags),
});
