import type { RequestContext, SnapshotId } from '@holdfast/contracts';
import { ebsServiceContext, isRefusal } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import { deadline } from './deadline.ts';
import type { Cause, SnapshotStreams, SnapshotTable } from './ports.ts';

/** How soon to ask for the progress again, in milliseconds. */
const POLL_MS = 200;

/**
 * Moves a snapshot's blocks to the archive and back. What is dropped is dropped only when the other is whole, and when
 * nothing is being made of it any more; each step may be taken again after a crash.
 */
export class FollowTier {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: Pick<SnapshotTable, 'isBeingCopied'>,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** Reacts to SnapshotArchivalStarted, TierRestoreStarted and TierRestoreExpired. */
  async run(snapshotId: SnapshotId, cause: Cause): Promise<{ retryAfterMs: number } | undefined> {
    const { status, tier } = await this.snapshots.load(snapshotId);
    if (status !== 'completed' && status !== 'recycled') return undefined;
    const context = ebsServiceContext(cause.caller, deadline());
    try {
      if (tier.stage === 'archiving') return await this.archive(snapshotId, cause, context);
      if (tier.stage === 'restoring') return await this.restore(snapshotId, tier.restoreDays === null, cause, context);
      return undefined;
    } catch (error) {
      // Of a snapshot that was removed meanwhile nothing is left to be moved; it is looked at again.
      if (!isRefusal(error)) throw error;
      return { retryAfterMs: POLL_MS };
    }
  }

  private async archive(snapshotId: SnapshotId, cause: Cause, context: RequestContext) {
    const found = await this.requests.call('data-plane', 'GetArchiveProgress', { snapshotId }, context);
    const at = this.clock.instant();
    if (found.failure !== undefined) {
      await this.snapshots.handle({ type: 'FailArchival', snapshotId, cause: found.failure, at }, cause);
      return undefined;
    }
    if (!found.archive) {
      await this.requests.call('data-plane', 'ArchiveSnapshot', { snapshotId }, context);
      return { retryAfterMs: POLL_MS };
    }
    if (await this.isInUse(snapshotId, context)) return { retryAfterMs: POLL_MS };
    await this.requests.call('data-plane', 'ReleaseArchive', { snapshotId, keep: 'archive' }, context);
    await this.snapshots.handle({ type: 'CompleteArchival', snapshotId, at }, cause);
    return undefined;
  }

  private async restore(snapshotId: SnapshotId, isPermanent: boolean, cause: Cause, context: RequestContext) {
    const found = await this.requests.call('data-plane', 'GetArchiveProgress', { snapshotId }, context);
    const at = this.clock.instant();
    if (found.failure !== undefined && !found.blocks) {
      await this.snapshots.handle({ type: 'FailTierRestore', snapshotId, cause: found.failure, at }, cause);
      return undefined;
    }
    if (!found.blocks) {
      await this.requests.call('data-plane', 'RestoreArchive', { snapshotId }, context);
      return { retryAfterMs: POLL_MS };
    }
    if (isPermanent) await this.requests.call('data-plane', 'ReleaseArchive', { snapshotId, keep: 'blocks' }, context);
    await this.snapshots.handle({ type: 'CompleteTierRestore', snapshotId, at }, cause);
    return undefined;
  }

  private async isInUse(snapshotId: SnapshotId, context: RequestContext): Promise<boolean> {
    if (await this.table.isBeingCopied(snapshotId)) return true;
    return (await this.requests.call('volumes', 'IsSnapshotInUse', { snapshotId }, context)).inUse;
  }
}
