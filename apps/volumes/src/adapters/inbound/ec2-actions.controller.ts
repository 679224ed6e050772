import type { ec2 } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { AttachVolume } from '../../application/attach-volume.ts';
import type { CreateVolume } from '../../application/create-volume.ts';
import type { DeleteVolume } from '../../application/delete-volume.ts';
import type { DescribeVolumes } from '../../application/describe-volumes.ts';
import type { DescribeVolumeStatus } from '../../application/describe-volume-status.ts';
import type { DescribeVolumesModifications } from '../../application/describe-volumes-modifications.ts';
import type { DetachVolume } from '../../application/detach-volume.ts';
import type { InstanceDevices } from '../../application/instance-devices.ts';
import type { ModifyVolume } from '../../application/modify-volume.ts';
import type { VolumeTable } from '../../application/ports.ts';
import type { RecycleBin } from '../../application/recycle-bin.ts';
import type { VolumeAttributes } from '../../application/volume-attributes.ts';
import type { VolumeTags } from '../../application/volume-tags.ts';
import { toAwsError } from './volume-errors.ts';

export interface VolumeActions {
  createVolume: CreateVolume;
  describeVolumes: DescribeVolumes;
  deleteVolume: DeleteVolume;
  attachVolume: AttachVolume;
  detachVolume: DetachVolume;
  modifyVolume: ModifyVolume;
  describeVolumesModifications: DescribeVolumesModifications;
  describeVolumeStatus: DescribeVolumeStatus;
  attributes: VolumeAttributes;
  devices: InstanceDevices;
  bin: RecycleBin;
  tags: VolumeTags;
  table: VolumeTable;
}

type Internal = InternalRequests['volumes'];

/** Everything that this service is asked, refusals in EC2's words. */
export const volumeRequests = (actions: VolumeActions): RequestHandlers => {
  const { attributes, bin, devices, table, tags } = actions;
  const handlers = {
    CreateVolume: (input: ec2.CreateVolumeRequest, context: RequestContext) => actions.createVolume.run(input, context),
    DescribeVolumes: (input: ec2.DescribeVolumesRequest, context: RequestContext) =>
      actions.describeVolumes.run(input, context),
    DeleteVolume: (input: ec2.DeleteVolumeRequest, context: RequestContext) => actions.deleteVolume.run(input, context),
    AttachVolume: (input: ec2.AttachVolumeRequest, context: RequestContext) => actions.attachVolume.run(input, context),
    DetachVolume: (input: ec2.DetachVolumeRequest, context: RequestContext) => actions.detachVolume.run(input, context),
    ModifyVolume: (input: ec2.ModifyVolumeRequest, context: RequestContext) => actions.modifyVolume.run(input, context),
    DescribeVolumesModifications: (input: ec2.DescribeVolumesModificationsRequest, context: RequestContext) =>
      actions.describeVolumesModifications.run(input, context),
    DescribeVolumeStatus: (input: ec2.DescribeVolumeStatusRequest, context: RequestContext) =>
      actions.describeVolumeStatus.run(input, context),
    DescribeVolumeAttribute: (input: ec2.DescribeVolumeAttributeRequest, context: RequestContext) =>
      attributes.describe(input, context),
    ModifyVolumeAttribute: (input: ec2.ModifyVolumeAttributeRequest, context: RequestContext) =>
      attributes.modify(input, context),
    EnableVolumeIO: (input: ec2.EnableVolumeIORequest, context: RequestContext) => attributes.enableIo(input, context),
    ListVolumesInRecycleBin: (input: ec2.ListVolumesInRecycleBinRequest, context: RequestContext) =>
      bin.list(input, context),
    RestoreVolumeFromRecycleBin: (input: ec2.RestoreVolumeFromRecycleBinRequest, context: RequestContext) =>
      bin.restore(input, context),
    CreateTags: (input: ec2.CreateTagsRequest, context: RequestContext) => tags.create(input, context),
    DeleteTags: (input: ec2.DeleteTagsRequest, context: RequestContext) => tags.delete(input, context),
    DescribeTags: (input: ec2.DescribeTagsRequest, context: RequestContext) => tags.describe(input, context),
    CheckCall: async ({ action, input }: Internal['CheckCall']['in'], context: RequestContext) => {
      if (action === 'CreateVolume') await actions.createVolume.check(input as ec2.CreateVolumeRequest, context);
      else await actions.deleteVolume.check(input, context);
      return {};
    },
    PlanVolume: (input: Internal['PlanVolume']['in'], context: RequestContext) =>
      actions.createVolume.plan(input, context),
    CreateLaunchVolume: async (input: Internal['CreateLaunchVolume']['in'], context: RequestContext) => ({
      volumeId: (await actions.createVolume.run(input.input as ec2.CreateVolumeRequest, context, input.throughImage))
        .VolumeId,
    }),
    WaiveRetention: (input: Internal['WaiveRetention']['in'], context: RequestContext) =>
      devices.waiveRetention(input, context),
    GetCreation: (input: Internal['GetCreation']['in']) => devices.creation(input),
    AttachAtLaunch: (input: Internal['AttachAtLaunch']['in'], context: RequestContext) =>
      devices.attachAtLaunch(input, context),
    SuspendAttachments: (input: Internal['SuspendAttachments']['in'], context: RequestContext) =>
      devices.suspend(input, context),
    ResumeAttachments: (input: Internal['ResumeAttachments']['in'], context: RequestContext) =>
      devices.resume(input, context),
    SetDeleteOnTermination: (input: Internal['SetDeleteOnTermination']['in'], context: RequestContext) =>
      devices.setDeleteOnTermination(input, context),
    GetVolume: ({ volumeId }: Internal['GetVolume']['in'], context: RequestContext) => table.record(volumeId, context),
    ListAttachments: async ({ instanceIds }: Internal['ListAttachments']['in'], context: RequestContext) => ({
      attachments: await table.attachments(instanceIds, context),
    }),
    IsSnapshotInUse: async ({ snapshotId }: Internal['IsSnapshotInUse']['in']) => ({
      inUse: await table.isSnapshotInUse(snapshotId),
    }),
    ListHostAttachments: async ({ hostId }: Internal['ListHostAttachments']['in']) => ({
      attachments: await table.hostAttachments(hostId),
    }),
  };
  return Object.fromEntries(Object.entries(handlers).map(([action, handler]) => [action, refusing(handler)]));
};

const refusing =
  (handler: (input: never, context: RequestContext) => Promise<unknown>) =>
  async (input: never, context: RequestContext): Promise<unknown> => {
    try {
      return await handler(input, context);
    } catch (error) {
      throw toAwsError(error);
    }
  };
