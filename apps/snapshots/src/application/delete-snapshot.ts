import type { ec2 } from '@holdfast/aws-protocol';
import { callerOf, type RequestContext } from '@holdfast/contracts';
import { dryRunOperation, invalidParameterValue, missingParameter } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { isLocked } from '../domain/snapshot-lock.ts';
import { parseSnapshotId } from './ids.ts';
import { ownSnapshot } from './own-snapshot.ts';
import type { SnapshotStreams } from './ports.ts';
import { refusal } from './refusals.ts';

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
    const { SnapshotId } = input;
    if (SnapshotId === undefined || SnapshotId === '') throw missingParameter('snapshotId');
    const snapshotId = parseSnapshotId(SnapshotId);
    if (snapshotId === null)
      throw invalidParameterValue(`Value (${SnapshotId}) for parameter snapshotId is invalid. Expected: 'snap-...'.`);
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
