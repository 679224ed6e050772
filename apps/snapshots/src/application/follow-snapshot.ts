import type { DataKeyUse, RequestContext, SnapshotId } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { ebsServiceContext, isRefusal } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotCopyStarted, SnapshotStarted } from '../domain/snapshot.events.ts';
import type { CopyKeys } from './copy-keys.ts';
import { deadline } from './deadline.ts';
import type { Cause, SnapshotStreams } from './ports.ts';

/** How soon to ask for the progress again, in milliseconds: often at first, since most snapshots are small. */
const SOON_MS = 100;
const LATER_MS = 1000;
const SOON_FOR_MS = 10_000;

/** How long the data plane keeps the beginning of an empty copy, should its end not come. */
const EMPTY_TIMEOUT_MINUTES = 60;

const SET_FAILED = 'Another snapshot of the same set failed';
const KEY_NOT_ACCESSIBLE = 'Given key ID is not accessible';

/**
 * From `pending` to `completed` or `error`: keys and grants of a copy, as the one who asked for it, then whatever the data
 * plane reports. Each step is noted before the next one, and each may be taken again after a crash.
 */
export class FollowSnapshot {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly keys: CopyKeys,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** Reacts to SnapshotStarted and SnapshotCopyStarted. */
  async run(snapshotId: SnapshotId, cause: Cause): Promise<{ retryAfterMs: number } | undefined> {
    const { started, status } = await this.snapshots.load(snapshotId);
    if (started === null || status !== 'pending') return undefined;
    const context = ebsServiceContext(cause.caller, deadline());
    try {
      const report = await this.requests.call('data-plane', 'GetSnapshotProgress', { snapshotId }, context);
      const others = started.type === 'SnapshotStarted' ? await this.othersOfSet(started, context) : 'completed';
      if (others === 'failed') return await this.fail(snapshotId, SET_FAILED, SET_FAILED, cause);
      if (report.state === 'completed' && others === 'completed') return await this.complete(snapshotId, cause);
      if (report.state === 'failed') {
        const text = report.reason ?? 'The snapshot failed';
        return await this.fail(snapshotId, text, text, cause);
      }
      if (report.state === 'copying') {
        const { progress } = report;
        await this.snapshots.handle({ type: 'RecordProgress', snapshotId, progress, at: this.clock.instant() }, cause);
      } else if (report.state === 'completed') {
        return { retryAfterMs: SOON_MS }; // Its set is not.
      } else if (started.type === 'SnapshotCopyStarted') {
        if (!(await this.startCopy(started, cause))) return undefined;
      } else {
        // The request that asked for the snapshot did not get so far.
        const { set, volumeId } = started;
        if (set === undefined)
          await this.requests.call('data-plane', 'FreezeSnapshot', { snapshotId, volumeId }, context);
        else await this.requests.call('data-plane', 'FreezeSnapshots', { snapshots: [...set] }, context);
      }
    } catch (error) {
      // Another process took the same step first, as it may after a silence: go on from what it noted.
      if (error instanceof DomainError && error.code === 'SnapshotNotPending') return { retryAfterMs: SOON_MS };
      if (!isRefusal(error)) throw error;
      return this.fail(snapshotId, error.message, `${error.code}: ${error.message}`, cause);
    }
    const ageMs = this.clock.now().getTime() - Date.parse(started.at);
    return { retryAfterMs: ageMs < SOON_FOR_MS ? SOON_MS : LATER_MS };
  }

  /** Reacts to SnapshotFailed: nothing of a failed snapshot stays but its name and its message. */
  async undo(snapshotId: SnapshotId, cause: Cause): Promise<void> {
    const state = await this.snapshots.load(snapshotId);
    await this.keys.retire(state, cause, true);
    const context = ebsServiceContext(cause.caller, deadline());
    await this.requests.call('data-plane', 'RemoveSnapshot', { snapshotId }, context);
  }

  /** Whether the snapshots that were taken at the same moment are, or will be, complete: it is with all of them or with none. */
  private async othersOfSet(
    { snapshotId, set = [] }: SnapshotStarted,
    context: RequestContext,
  ): Promise<'completed' | 'copying' | 'failed'> {
    let isCopying = false;
    for (const other of set) {
      if (other.snapshotId === snapshotId) continue;
      const { status } = await this.snapshots.load(other.snapshotId);
      if (status === 'error') return 'failed';
      if (status !== 'pending') continue;
      const id = { snapshotId: other.snapshotId };
      const { state } = await this.requests.call('data-plane', 'GetSnapshotProgress', id, context);
      if (state === 'failed') return 'failed';
      isCopying ||= state !== 'completed';
    }
    return isCopying ? 'copying' : 'completed';
  }

  /** @returns false when the copy ended before it began. */
  private async startCopy(copy: SnapshotCopyStarted, cause: Cause): Promise<boolean> {
    const { snapshotId, source, keyArn } = copy;
    const problem = problemOf(copy);
    if (problem !== null) {
      await this.fail(snapshotId, problem, problem, cause);
      return false;
    }
    try {
      if (keyArn !== null) await this.keys.obtain(copy, keyArn, cause);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.fail(snapshotId, KEY_NOT_ACCESSIBLE, `${error.code}: ${error.message}`, cause);
      return false;
    }
    const { previousCopy } = await this.snapshots.load(snapshotId);
    const uses = await this.keys.uses(copy, cause);
    if (source.empty === true) return this.makeEmpty(copy, uses.destination, cause);
    await this.requests.call(
      'data-plane',
      'StartSnapshotCopy',
      {
        snapshotId,
        source: { snapshotId: source.snapshotId, dataKey: uses.source },
        dataKey: uses.destination,
        ...(previousCopy === null ? {} : { previousCopy }),
        ...(uses.ownContext === undefined ? {} : { ownContext: uses.ownContext }),
      },
      ebsServiceContext(cause.caller, deadline()),
    );
    return true;
  }

  /** There are no blocks to be copied: it is made like a snapshot to which its client writes none. */
  private async makeEmpty(
    { snapshotId, volumeSizeGiB: sizeGiB }: SnapshotCopyStarted,
    dataKey: DataKeyUse | undefined,
    cause: Cause,
  ): Promise<true> {
    const context = ebsServiceContext(cause.caller, deadline());
    const upload = { snapshotId, sizeGiB, dataKey, timeoutMinutes: EMPTY_TIMEOUT_MINUTES };
    await this.requests.call('data-plane', 'StartBlockUpload', upload, context);
    await this.requests.call('data-plane', 'CompleteBlockUpload', { snapshotId, changedBlocksCount: 0 }, context);
    return true;
  }

  private async complete(snapshotId: SnapshotId, cause: Cause): Promise<undefined> {
    const state = await this.snapshots.load(snapshotId);
    await this.keys.keep(state, cause);
    await this.keys.retire(state, cause, false);
    await this.snapshots.handle({ type: 'CompleteSnapshot', snapshotId, at: this.clock.instant() }, cause);
  }

  private async fail(snapshotId: SnapshotId, message: string, text: string, cause: Cause): Promise<undefined> {
    const at = this.clock.instant();
    await this.snapshots.handle({ type: 'FailSnapshot', snapshotId, message, cause: text, at }, cause);
  }
}

/** EC2 finds these only after it has answered. */
const problemOf = ({ source }: SnapshotCopyStarted): string | null => {
  if (source.status === 'missing') return 'Source snapshot is not found';
  if (source.status === 'archived') return 'Source snapshot is archived';
  return source.status === 'completed' ? null : 'Source snapshot is not complete';
};
