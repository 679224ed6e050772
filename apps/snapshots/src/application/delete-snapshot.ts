import type { ec2 } from '@holdfast/aws-protocol';
import { AwsError, callerOf, type RequestContext, type SnapshotId } from '@holdfast/contracts';
import { dryRunOperation } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { isLocked } from '../domain/snapshot-lock.ts';
import { parseSnapshotId } from './ids.ts';
import { ownSnapshot } from './own-snapshot.ts';
import type { SnapshotStreams } from './ports.ts';
import { refusal } from './refusals.ts';
import { snapshotIdOf } from './snapshot-ids.ts';

/** A pending snapshot goes when it is completed. What other snapshots and volumes were made from it stays whole. */
export class DeleteSnapshot {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
    /** How long the Recycle Bin keeps what is deleted now. */
    private readonly retention: (
      resource: { resourceType: 'EBS_SNAPSHOT'; tags: Record<string, string> },
      context: RequestContext,
    ) => Promise<{ days: number | null }>,
  ) {}

  async run(input: Partial<ec2.DeleteSnapshotRequest>, context: RequestContext): Promise<Record<string, never>> {
    const snapshotId = deletedId(input.SnapshotId);
    const { tags, lock } = await ownSnapshot(this.snapshots, snapshotId, context);
    if (isLocked(lock, this.clock.instant())) throw refusal('SnapshotIsLocked', { snapshotId });
    if (input.DryRun === true) throw dryRunOperation();
    const { imageIds } = await this.requests.call('instances', 'ListImagesOfSnapshot', { snapshotId }, context);
    if (imageIds.length > 0) throw refusal('SnapshotInUse', { snapshotId, imageIds: imageIds.join(', ') });
    const { days: retentionDays } = await this.retention({ resourceType: 'EBS_SNAPSHOT', tags }, context);
    const command = { type: 'DeleteSnapshot', snapshotId, retentionDays, at: this.clock.instant() } as const;
    await this.snapshots.handle(command, { caller: callerOf(context) });
    return {};
  }
}

/** Its own words for an id that begins as one and is none. */
const deletedId = (text: string | undefined): SnapshotId => {
  if (text?.startsWith('snap-') === true && parseSnapshotId(text) === null)
    throw new AwsError({
      code: 'InvalidSnapshotID.Malformed',
      message: `Value ( ${text} ) for parameter SNAPSHOT is invalid. `,
    });
  return snapshotIdOf(text);
};
