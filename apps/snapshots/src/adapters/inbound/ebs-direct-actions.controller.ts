import type { ebs } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import type { RequestHandlers } from '@holdfast/messaging';
import { SnapshotBlocks } from '../../application/ebs-direct-blocks.ts';
import { CompleteSnapshot } from '../../application/ebs-direct-complete-snapshot.ts';
import { BlockLists } from '../../application/ebs-direct-lists.ts';
import type { DirectParts } from '../../application/ebs-direct-ports.ts';
import { StartSnapshot } from '../../application/ebs-direct-start-snapshot.ts';

/**
 * The operations of EBS direct. PutSnapshotBlock and GetSnapshotBlock answer where the caller's
 * blocks go or come from, and with what a gateway proves that they may (`BlockTransfer`).
 */
export const ebsDirectRequests = (parts: DirectParts): RequestHandlers => {
  const start = new StartSnapshot(parts);
  const complete = new CompleteSnapshot(parts);
  const blocks = new SnapshotBlocks(parts);
  const lists = new BlockLists(parts);
  return {
    StartSnapshot: (input: ebs.StartSnapshotRequest, context: RequestContext) => start.run(input, context),
    CompleteSnapshot: (input: ebs.CompleteSnapshotRequest, context: RequestContext) => complete.run(input, context),
    PutSnapshotBlock: (input: ebs.PutSnapshotBlockRequest, context: RequestContext) => blocks.put(input, context),
    GetSnapshotBlock: (input: ebs.GetSnapshotBlockRequest, context: RequestContext) => blocks.get(input, context),
    ListSnapshotBlocks: (input: ebs.ListSnapshotBlocksRequest, context: RequestContext) => lists.all(input, context),
    ListChangedBlocks: (input: ebs.ListChangedBlocksRequest, context: RequestContext) => lists.changed(input, context),
  };
};
