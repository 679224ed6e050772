import type { ec2 } from '@holdfast/aws-protocol';
import { tagList } from '@holdfast/ec2';
import type { VolumeDetails } from './ports.ts';

const attachmentOf = (attachment: VolumeDetails['attachments'][number]): ec2.VolumeAttachment => ({
  VolumeId: attachment.volumeId,
  InstanceId: attachment.instanceId,
  Device: attachment.device,
  State: attachment.state,
  AttachTime: attachment.attachTime,
  DeleteOnTermination: attachment.deleteOnTermination,
});

/** What CreateVolume's answer and DescribeVolumes have in common; members that the type has no number for are left out. */
export const volumeBasics = (volume: Omit<VolumeDetails, 'attachments' | 'kmsKeyArn'>): ec2.Volume => ({
  VolumeId: volume.volumeId,
  Size: volume.sizeGiB,
  SnapshotId: volume.snapshotId,
  AvailabilityZone: volume.availabilityZone,
  AvailabilityZoneId: volume.availabilityZoneId,
  State: volume.state,
  CreateTime: volume.createTime,
  VolumeType: volume.volumeType as ec2.VolumeType,
  Iops: volume.iops ?? undefined,
  Throughput: volume.throughputMiBps ?? undefined,
  Encrypted: volume.encrypted,
  Tags: tagList(volume.tags),
  VolumeInitializationRate: volume.initializationRateMiBps ?? undefined,
  FastRestored: volume.fastRestored ? true : undefined,
  MultiAttachEnabled: volume.multiAttachEnabled,
});

export const volumeView = (volume: VolumeDetails): ec2.Volume => ({
  ...volumeBasics(volume),
  KmsKeyId: volume.kmsKeyArn ?? undefined,
  Attachments: volume.attachments.map(attachmentOf),
  OwnerId: volume.accountId,
  VolumeArn: `arn:aws:ec2:${volume.region}:${volume.accountId}:volume/${volume.volumeId}`,
  Operator: { Managed: false, HiddenByDefault: false },
});
