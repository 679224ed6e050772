import type { ec2 } from '@holdfast/aws-protocol';
import type { InternalRequests, RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import type { CopySnapshot } from '../../application/copy-snapshot.ts';
import type { CreateSnapshot } from '../../application/create-snapshot.ts';
import type { DeleteSnapshot } from '../../application/delete-snapshot.ts';
import type { DescribeSnapshots } from '../../application/describe-snapshots.ts';
import type { SnapshotAttributes } from '../../application/snapshot-attributes.ts';
import type { SnapshotTags } from '../../application/snapshot-tags.ts';
import type { Viewers } from '../../application/viewers.ts';
import { toAwsError } from './snapshot-errors.ts';

export interface SnapshotActions {
  createSnapshot: CreateSnapshot;
  copySnapshot: CopySnapshot;
  describeSnapshots: DescribeSnapshots;
  deleteSnapshot: DeleteSnapshot;
  attributes: SnapshotAttributes;
  tags: SnapshotTags;
  viewers: Viewers;
}

type Internal = InternalRequests['snapshots'];

/** Everything that this service is asked, refusals in EC2's words. */
export const snapshotRequests = (actions: SnapshotActions): RequestHandlers => {
  const { attributes, tags, viewers } = actions;
  const handlers = {
    CreateSnapshot: (input: ec2.CreateSnapshotRequest, context: RequestContext) =>
      actions.createSnapshot.run(input, context),
    CopySnapshot: (input: ec2.CopySnapshotRequest, context: RequestContext) => actions.copySnapshot.run(input, context),
    DescribeSnapshots: (input: ec2.DescribeSnapshotsRequest, context: RequestContext) =>
      actions.describeSnapshots.run(input, context),
    DeleteSnapshot: (input: ec2.DeleteSnapshotRequest, context: RequestContext) =>
      actions.deleteSnapshot.run(input, context),
    DescribeSnapshotAttribute: (input: ec2.DescribeSnapshotAttributeRequest, context: RequestContext) =>
      attributes.describe(input, context),
    ModifySnapshotAttribute: (input: ec2.ModifySnapshotAttributeRequest, context: RequestContext) =>
      attributes.modify(input, context),
    ResetSnapshotAttribute: (input: ec2.ResetSnapshotAttributeRequest, context: RequestContext) =>
      attributes.reset(input, context),
    CreateTags: (input: ec2.CreateTagsRequest, context: RequestContext) => tags.create(input, context),
    DeleteTags: (input: ec2.DeleteTagsRequest, context: RequestContext) => tags.delete(input, context),
    DescribeTags: (input: ec2.DescribeTagsRequest, context: RequestContext) => tags.describe(input, context),
    CheckCall: async ({ action, input }: Internal['CheckCall']['in'], context: RequestContext) => {
      if (action === 'CopySnapshot') actions.copySnapshot.check(input, context);
      else await attributes.checkModification(input, context);
      return {};
    },
    CopyImageSnapshot: (input: Internal['CopyImageSnapshot']['in'], context: RequestContext) =>
      actions.copySnapshot.forImage(input, context),
    GetSnapshot: ({ snapshotId, throughImage }: Internal['GetSnapshot']['in'], context: RequestContext) =>
      throughImage === undefined
        ? viewers.record(snapshotId, context.region, context)
        : viewers.recordThroughImage(snapshotId, throughImage, context),
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
