import { randomUUID } from 'node:crypto';
import {
  type Caller,
  type DataKeyUse,
  ebsServicePrincipal,
  type Region,
  type SnapshotId,
  type WrappedDataKey,
} from '@holdfast/contracts';
import { copyGrant, type EbsKeys, ebsServiceContext, forwardedContext, type GrantRequest } from '@holdfast/ec2';
import type { Requests } from '@holdfast/messaging';
import type { Clock } from '@holdfast/service-kit';
import type { SnapshotState } from '../domain/snapshot.decider.ts';
import type { CopyGrant, SnapshotCopyStarted } from '../domain/snapshot.events.ts';
import { deadline } from './deadline.ts';
import type { Cause, SnapshotStreams, SnapshotTable } from './ports.ts';

interface WantedGrant {
  readonly purpose: CopyGrant['purpose'];
  readonly region: Region;
  readonly request: GrantRequest;
}

/** The data keys that a copy's blocks are read and written with, each to be unwrapped by EBS under its grant. */
export interface CopyKeyUses {
  readonly source: DataKeyUse | undefined;
  readonly destination: DataKeyUse | undefined;
  /** The destination's is the copy before's, and is to be wrapped for this one in this encryption context. */
  readonly ownContext?: Record<string, string>;
}

/**
 * What a copy needs of KMS. A full copy gets a data key as the one who asked for it, and EBS reads it under a grant. One that is
 * incremental goes on with the data key of the copy before: the process that writes the blocks unwraps that one under one grant
 * and wraps it for the new copy under another. The source's data key has a grant of its own in both.
 * @see FACTS 06 §2
 */
export class CopyKeys {
  constructor(
    private readonly snapshots: SnapshotStreams,
    private readonly table: SnapshotTable,
    private readonly keys: EbsKeys,
    private readonly requests: Requests,
    private readonly clock: Clock,
  ) {}

  /** Each step is noted before the next one, and may be taken again after a crash. @throws AwsError what KMS refuses */
  async obtain(copy: SnapshotCopyStarted, keyArn: string, cause: Cause): Promise<void> {
    const { snapshotId } = copy;
    const previous = await this.begin(copy, keyArn, cause);
    for (const { purpose, region, request } of wantedGrants(copy, keyArn, previous)) {
      const { grants } = await this.snapshots.load(snapshotId);
      if (grants.some((grant) => grant.purpose === purpose)) continue;
      const grantId = await this.keys.createGrant(request, forwardedContext({ ...cause.caller, region }, deadline()));
      const grant: CopyGrant = { purpose, keyArn: request.KeyId, region, grantId };
      await this.snapshots.handle({ type: 'RecordGrant', snapshotId, grant, at: this.clock.instant() }, cause);
    }
  }

  /** Notes how an incremental copy's data key came to be wrapped for it; whoever wrote its blocks did that. */
  async keep({ started, dataKey, previousCopy }: SnapshotState, cause: Cause): Promise<void> {
    if (started?.type !== 'SnapshotCopyStarted' || previousCopy === null || dataKey !== null) return;
    const { snapshotId } = started;
    const context = ebsServiceContext(cause.caller, deadline());
    const own = await this.requests.call('data-plane', 'GetSnapshotDataKey', { snapshotId }, context);
    if (own.dataKey === null) throw new Error(`${snapshotId}, a copy under a key, has no data key`);
    await this.record(snapshotId, own.dataKey, cause);
  }

  /** What EBS may unwrap now. An incremental copy is written with the data key of the copy before, which has the grant. */
  async uses({ snapshotId, region, source }: SnapshotCopyStarted, cause: Cause): Promise<CopyKeyUses> {
    const { dataKey, previousCopy, grants } = await this.snapshots.load(snapshotId);
    const hasGrant = grants.some(({ purpose }) => purpose === 'previous');
    const own = hasGrant && previousCopy !== null ? await this.dataKeyOf(previousCopy) : dataKey;
    const use = (key: WrappedDataKey | null, where: Region) => (key ? keyUse(key, where, cause.caller) : undefined);
    const wrapAgain = hasGrant && dataKey === null ? { ownContext: contextOf(snapshotId) } : {};
    return { source: use(source.dataKey, source.region), destination: use(own, region), ...wrapAgain };
  }

  /** @param search for grants, too, whose id a crash kept from being noted. */
  async retire({ started, previousCopy, grants }: SnapshotState, cause: Cause, search: boolean): Promise<void> {
    const found = [...grants];
    if (search && started?.type === 'SnapshotCopyStarted' && started.keyArn !== null) {
      const previous = previousCopy === null ? null : await this.dataKeyOf(previousCopy);
      for (const { purpose, region, request } of wantedGrants(started, started.keyArn, previous)) {
        if (grants.some((grant) => grant.purpose === purpose)) continue;
        const grantId = await this.keys.findGrant(request, forwardedContext({ ...cause.caller, region }, deadline()));
        if (grantId !== null) found.push({ purpose, region, keyArn: request.KeyId, grantId });
      }
    }
    for (const { keyArn, region, grantId } of found)
      await this.keys.retireGrant(keyArn, grantId, ebsServiceContext({ ...cause.caller, region }, deadline()));
  }

  /** @returns the data key that the copy goes on with; null when it has, or now gets, one of its own. */
  private async begin(copy: SnapshotCopyStarted, keyArn: string, cause: Cause): Promise<WrappedDataKey | null> {
    const { snapshotId } = copy;
    const { dataKey, previousCopy: chosen } = await this.snapshots.load(snapshotId);
    if (chosen !== null) return this.dataKeyOf(chosen);
    if (dataKey !== null) return null;
    const previous = await this.previousCopy(copy, keyArn);
    if (previous !== null) {
      const { snapshotId: previousCopy } = previous;
      const at = this.clock.instant();
      await this.snapshots.handle({ type: 'ChoosePreviousCopy', snapshotId, previousCopy, at }, cause);
      return previous.dataKey;
    }
    const forwarded = forwardedContext(cause.caller, deadline());
    const made = await this.keys.newDataKey(keyArn, contextOf(snapshotId), forwarded);
    await this.record(snapshotId, { ...made, dataKeyId: randomUUID() }, cause);
    return null;
  }

  /** The copy before, in the same account and Region, of the same volume: this one is incremental to it if its key is the same. */
  private async previousCopy({ ownerId, region, source }: SnapshotCopyStarted, keyArn: string) {
    if (source.volumeId === undefined) return null;
    const latest = await this.table.latestCopy(source.volumeId, ownerId, region);
    return latest?.dataKey?.keyArn === keyArn ? { ...latest, dataKey: latest.dataKey } : null;
  }

  /** Known for as long as the log is, whether the snapshot is there or not. */
  private async dataKeyOf(snapshotId: SnapshotId): Promise<WrappedDataKey> {
    const { dataKey } = await this.snapshots.load(snapshotId);
    if (dataKey === null) throw new Error(`${snapshotId}, the copy before, has no data key`);
    return dataKey;
  }

  private async record(snapshotId: SnapshotId, dataKey: WrappedDataKey, cause: Cause): Promise<void> {
    await this.snapshots.handle({ type: 'RecordDataKey', snapshotId, dataKey, at: this.clock.instant() }, cause);
  }
}

const contextOf = (snapshotId: SnapshotId) => ({ 'aws:ebs:id': snapshotId });

const wantedGrants = (
  { snapshotId, region, source }: SnapshotCopyStarted,
  keyArn: string,
  previous: WrappedDataKey | null,
): WantedGrant[] => {
  const wanted = (
    purpose: CopyGrant['purpose'],
    where: Region,
    key: Pick<WrappedDataKey, 'keyArn' | 'encryptionContext'>,
    operation: 'Decrypt' | 'Encrypt',
  ): WantedGrant => {
    const name = `ebs-copy-${snapshotId}-${purpose}`;
    return { purpose, region: where, request: copyGrant(key.keyArn, where, key.encryptionContext, name, operation) };
  };
  const own = { keyArn, encryptionContext: contextOf(snapshotId) };
  const destination =
    previous === null
      ? [wanted('destination', region, own, 'Decrypt')]
      : [wanted('previous', region, previous, 'Decrypt'), wanted('destination', region, own, 'Encrypt')];
  return source.dataKey === null
    ? destination
    : [...destination, wanted('source', source.region, source.dataKey, 'Decrypt')];
};

const keyUse = (key: WrappedDataKey, region: Region, { accountId, requestId }: Caller): DataKeyUse => ({
  ...key,
  principal: ebsServicePrincipal(region, accountId),
  accountId,
  region,
  requestId,
});
