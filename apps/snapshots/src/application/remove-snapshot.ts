import type { SnapshotId } from '@holdfast/contracts';
import { ebsServiceContext } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { deadline } from './deadline.ts';
import type { Cause, SnapshotStreams } from './ports.ts';

/** Reacts to SnapshotDeletionStarted: the snapshot's block index goes, and with it the blocks that no other one names. */
export class RemoveSnapshot {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(snapshotId: SnapshotId, cause: Cause): Promise<void> {
    const { status } = await this.snapshots.load(snapshotId);
    if (status !== 'deleting') return;
    const context = ebsServiceContext(cause.caller, deadline());
    await this.requests.call('data-plane', 'RemoveSnapshot', { snapshotId }, context);
    await this.snapshots.handle({ type: 'CompleteDeletion', snapshotId, at: this.clock.instant() }, cause);
  }
}
