import { randomUUID } from 'node:crypto';
import {
  type Caller,
  type DataKeyUse,
  ebsServicePrincipal,
  type Region,
  type RequestContext,
  type SnapshotId,
  type WrappedDataKey,
} from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { copyGrant, type EbsKeys, ebsServiceContext, forwardedContext, isRefusal } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotState } from '../domain/snapshot.decider.ts';
import type { CopyGrant, SnapshotCopyStarted, SnapshotStarted } from '../domain/snapshot.events.ts';
import { deadline } from './deadline.ts';
import type { Cause, SnapshotStreams, SnapshotTable } from './ports.ts';

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
    private readonly table: SnapshotTable,
    private readonly keys: EbsKeys,
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
    await this.retireGrants(state, cause, true);
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
      if (keyArn !== null) await this.obtainKeys(copy, keyArn, cause);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      await this.fail(snapshotId, KEY_NOT_ACCESSIBLE, `${error.code}: ${error.message}`, cause);
      return false;
    }
    const { dataKey, previousCopy } = await this.snapshots.load(snapshotId);
    const use = (key: WrappedDataKey | null, region: Region) => (key ? keyUse(key, region, cause.caller) : undefined);
    if (source.empty === true) return this.makeEmpty(copy, use(dataKey, copy.region), cause);
    await this.requests.call(
      'data-plane',
      'StartSnapshotCopy',
      {
        snapshotId,
        source: { snapshotId: source.snapshotId, dataKey: use(source.dataKey, source.region) },
        dataKey: use(dataKey, copy.region),
        ...(previousCopy === null ? {} : { previousCopy }),
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

  private async obtainKeys(copy: SnapshotCopyStarted, keyArn: string, cause: Cause): Promise<void> {
    const { snapshotId } = copy;
    let { dataKey, grants } = await this.snapshots.load(snapshotId);
    if (dataKey === null) {
      const context = { 'aws:ebs:id': snapshotId };
      const forwarded = forwardedContext(cause.caller, deadline());
      const previous = await this.previousCopy(copy, keyArn);
      dataKey =
        previous === null
          ? { ...(await this.keys.newDataKey(keyArn, context, forwarded)), dataKeyId: randomUUID() }
          : await this.keys.rewrap(previous.dataKey, keyArn, context, forwarded);
      const obtained = { dataKey, previousCopy: previous?.snapshotId, at: this.clock.instant() };
      await this.snapshots.handle({ type: 'RecordDataKey', snapshotId, ...obtained }, cause);
    }
    for (const wanted of wantedGrants(copy, dataKey)) {
      ({ grants } = await this.snapshots.load(snapshotId));
      if (grants.some(({ purpose }) => purpose === wanted.purpose)) continue;
      const { purpose, region, request } = wanted;
      const grantId = await this.keys.createGrant(request, forwardedContext({ ...cause.caller, region }, deadline()));
      const grant: CopyGrant = { purpose, keyArn: request.KeyId, region, grantId };
      await this.snapshots.handle({ type: 'RecordGrant', snapshotId, grant, at: this.clock.instant() }, cause);
    }
  }

  /** The copy before, in the same account and Region, of the same volume: this one is incremental to it if its key is the same. */
  private async previousCopy({ ownerId, region, source }: SnapshotCopyStarted, keyArn: string) {
    if (source.volumeId === undefined) return null;
    const latest = await this.table.latestCopy(source.volumeId, ownerId, region);
    return latest?.dataKey?.keyArn === keyArn ? { ...latest, dataKey: latest.dataKey } : null;
  }

  private async complete(snapshotId: SnapshotId, cause: Cause): Promise<undefined> {
    await this.retireGrants(await this.snapshots.load(snapshotId), cause, false);
    await this.snapshots.handle({ type: 'CompleteSnapshot', snapshotId, at: this.clock.instant() }, cause);
  }

  private async fail(snapshotId: SnapshotId, message: string, text: string, cause: Cause): Promise<undefined> {
    const at = this.clock.instant();
    await this.snapshots.handle({ type: 'FailSnapshot', snapshotId, message, cause: text, at }, cause);
  }

  /** @param search for grants, too, whose id a crash kept from being noted. */
  private async retireGrants(
    { started, dataKey, grants }: SnapshotState,
    cause: Cause,
    search: boolean,
  ): Promise<void> {
    const found = [...grants];
    if (search && started?.type === 'SnapshotCopyStarted' && dataKey !== null) {
      for (const { purpose, region, request } of wantedGrants(started, dataKey)) {
        if (grants.some((grant) => grant.purpose === purpose)) continue;
        const grantId = await this.keys.findGrant(request, forwardedContext({ ...cause.caller, region }, deadline()));
        if (grantId !== null) found.push({ purpose, region, keyArn: request.KeyId, grantId });
      }
    }
    for (const { keyArn, region, grantId } of found)
      await this.keys.retireGrant(keyArn, grantId, ebsServiceContext({ ...cause.caller, region }, deadline()));
  }
}

/** EC2 finds these only after it has answered. */
const problemOf = ({ source }: SnapshotCopyStarted): string | null => {
  if (source.status === 'missing') return 'Source snapshot is not found';
  if (source.status === 'archived') return 'Source snapshot is archived';
  return source.status === 'completed' ? null : 'Source snapshot is not complete';
};

/** A full copy reads the source's data key and writes under its own. */
const wantedGrants = ({ snapshotId, region, source }: SnapshotCopyStarted, dataKey: WrappedDataKey) => {
  const wanted = (purpose: CopyGrant['purpose'], key: WrappedDataKey, where: Region) => ({
    purpose,
    region: where,
    request: copyGrant(key.keyArn, where, key.encryptionContext, `ebs-copy-${snapshotId}-${purpose}`),
  });
  const destination = wanted('destination', dataKey, region);
  return source.dataKey === null ? [destination] : [destination, wanted('source', source.dataKey, source.region)];
};

const keyUse = (key: WrappedDataKey, region: Region, { accountId, requestId }: Caller): DataKeyUse => ({
  ...key,
  principal: ebsServicePrincipal(region, accountId),
  accountId,
  region,
  requestId,
});
