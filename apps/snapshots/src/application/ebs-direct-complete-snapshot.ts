import type { ebs } from '@holdfast/aws-protocol';
import type { RequestContext } from '@holdfast/contracts';
import { alreadyCompleted, fromDataPlane, invalidParameter, invalidRequest } from './ebs-direct-errors.ts';
import type { DirectParts } from './ebs-direct-ports.ts';
import { ownedSnapshot } from './ebs-direct-snapshots.ts';

/** No more blocks. Whether they add up shows later, as the snapshot's state; asked again, this tells it. */
export class CompleteSnapshot {
  constructor(private readonly parts: DirectParts) {}

  async run(input: ebs.CompleteSnapshotRequest, context: RequestContext): Promise<ebs.CompleteSnapshotResponse> {
    const { ChangedBlocksCount: changedBlocksCount, Checksum: checksum } = input;
    checkTrio(input);
    const { snapshotId, state } = await ownedSnapshot(input.SnapshotId, this.parts, context);
    const { started } = await this.parts.snapshots.load(snapshotId);
    if (started?.type !== 'SnapshotStarted' || started.direct === undefined) {
      if (state === 'completed') throw alreadyCompleted();
      throw invalidRequest('INVALID_SNAPSHOT_ID', `Snapshot ${snapshotId} was not created with StartSnapshot.`);
    }
    if (state !== 'pending') return { Status: state };
    const completion = { snapshotId, changedBlocksCount, checksum };
    await this.parts.requests
      .call('data-plane', 'CompleteBlockUpload', completion, context)
      .catch(fromDataPlane(snapshotId));
    return { Status: 'pending' };
  }
}

/** A checksum is given whole or not at all. */
const checkTrio = (input: ebs.CompleteSnapshotRequest): void => {
  const { Checksum, ChecksumAlgorithm, ChecksumAggregationMethod } = input;
  const given = [Checksum, ChecksumAlgorithm, ChecksumAggregationMethod].filter((value) => value !== undefined);
  if (given.length === 0 || given.length === 3) return;
  const missing =
    Checksum === undefined
      ? 'Snapshot checksum'
      : ChecksumAlgorithm === undefined
        ? 'Checksum algorithm'
        : 'Checksum aggregation method';
  throw invalidParameter(`Invalid parameter combination. ${missing} is missing.`);
};
