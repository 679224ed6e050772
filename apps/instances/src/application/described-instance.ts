import type { ec2 } from '@holdfast/aws-protocol';
import type { AttachmentRecord } from '@holdfast/contracts';
import { tagList } from '@holdfast/ec2';
import { instanceType } from '../domain/instance-types.ts';
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

/** An instance in EC2's shape. */
export const describedInstance = (row: InstanceRow, attachments: readonly AttachmentRecord[]): ec2.Instance => ({
  InstanceId: row.instanceId,
  ImageId: row.imageId,
  State: instanceState(row.state),
  InstanceType: row.instanceType as ec2.Instance['InstanceType'],
  AmiLaunchIndex: row.launchIndex,
  LaunchTime: row.launchTime,
  Placement: { AvailabilityZone: row.availabilityZone, GroupName: '', Tenancy: 'default' },
  Monitoring: { State: 'disabled' },
  PrivateIpAddress: row.privateIpAddress,
  PrivateDnsName: `ip-${row.privateIpAddress.replaceAll('.', '-')}.${row.region}.compute.internal`,
  PublicDnsName: '',
  Architecture: 'x86_64',
  Hypervisor: instanceType(row.instanceType)?.hypervisor === 'nitro' ? undefined : 'xen',
  VirtualizationType: 'hvm',
  RootDeviceType: row.rootDeviceName === null ? 'instance-store' : 'ebs',
  RootDeviceName: row.rootDeviceName ?? undefined,
  EbsOptimized: false,
  SecurityGroups: [],
  BlockDeviceMappings: deviceMappings(attachments),
  StateTransitionReason: row.transitionReason,
  StateReason: row.stateReason === null ? undefined : { Code: row.stateReason.code, Message: row.stateReason.message },
  Tags: tagList(row.tags),
});
