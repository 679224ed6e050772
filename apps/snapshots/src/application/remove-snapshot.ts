import type { SnapshotId } from '@holdfast/contracts';
import { ebsServiceContext } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { deadline } from './deadline.ts';
import type { Cause, SnapshotStreams, SnapshotTable } from './ports.ts';

/** How soon to look again whether somebody still reads the snapshot, in milliseconds. */
const LOOK_AGAIN_MS = 500;

/**
 * Reacts to SnapshotDeletionStarted: the snapshot's block index goes, and with it the blocks that no other one names. Volumes
 * and copies that were asked for before still get what they were asked to be made of; nobody can ask for more.
 */
export class RemoveSnapshot {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotTable,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  async run(snapshotId: SnapshotId, cause: Cause): Promise<{ retryAfterMs: number } | undefined> {
    const { status } = await this.snapshots.load(snapshotId);
    if (status !== 'deleting') return undefined;
    const context = ebsServiceContext(cause.caller, deadline());
    if (await this.isInUse(snapshotId, context)) return { retryAfterMs: LOOK_AGAIN_MS };
    await this.requests.call('data-plane', 'RemoveSnapshot', { snapshotId }, context);
    await this.snapshots.handle({ type: 'CompleteDeletion', snapshotId, at: this.clock.instant() }, cause);
    return undefined;
  }

  private async isInUse(snapshotId: SnapshotId, context: ReturnType<typeof ebsServiceContext>): Promise<boolean> {
    if (await this.table.isBeingCopied(snapshotId)) return true;
    return (await this.requests.call('volumes', 'IsSnapshotInUse', { snapshotId }, context)).inUse;
  }
}
