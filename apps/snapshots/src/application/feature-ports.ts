import type { AccountId, Instant, Region, RequestContext, SnapshotId, VolumeId } from '@holdfast/contracts';
import type { Filter, Tags } from '@holdfast/ec2';
import type { Lock, LockState } from '../domain/snapshot-lock.ts';
import type { Tier } from '../domain/snapshot-tier.ts';

export interface FeatureQuery {
  readonly filters?: readonly Filter[];
  /** Explicit ids; empty: all. */
  readonly snapshotIds?: readonly string[];
  /** Only snapshots after this position, which a row gave. */
  readonly after?: string;
  readonly limit: number;
}

interface Row {
  readonly snapshotId: SnapshotId;
  readonly ownerId: AccountId;
  readonly volumeId: string;
  readonly position: string;
}

export interface LockedRow extends Row {
  readonly lock: Lock;
  readonly lockState: LockState;
}

export interface TieredRow extends Row {
  readonly state: 'pending' | 'completed' | 'error';
  readonly tags: Tags;
  readonly tier: Tier;
}

export interface RecycledRow extends Row {
  readonly description: string;
  readonly recycledAt: string;
  readonly exitsAt: string;
}

export interface FastRestoreRow {
  readonly snapshotId: SnapshotId;
  readonly accountId: AccountId;
  readonly zone: string;
  readonly zoneId: string;
  readonly enablingTime: Instant;
  readonly disablingTime: Instant | null;
  readonly sizeGiB: number;
}

/** A snapshot for which the clock asks for something. */
export interface DueSnapshot {
  readonly snapshotId: SnapshotId;
  readonly ownerId: AccountId;
  readonly region: Region;
}

/** What the caller's own snapshots in the caller's Region are besides snapshots, in order of their start. */
export interface SnapshotFeatureTable {
  /** @throws AwsError InvalidParameterValue | FilterLimitExceeded, as all of these with filters */
  locked(query: FeatureQuery, now: Instant, context: RequestContext): Promise<LockedRow[]>;
  /** Those that were ever archived. */
  tiered(query: FeatureQuery, context: RequestContext): Promise<TieredRow[]>;
  recycled(query: FeatureQuery, now: Instant, context: RequestContext): Promise<RecycledRow[]>;
  /** Which of these the caller owns. */
  owned(snapshotIds: readonly string[], context: RequestContext): Promise<Set<string>>;
  /** How much of the quotas on the archive is used. */
  tierCounts(
    volumeId: VolumeId | null,
    context: RequestContext,
  ): Promise<{ archiving: number; restoring: number; archivedOfVolume: number }>;
  /** Of the caller's account, whoever owns the snapshots; ended ones as far as they are remembered. */
  fastRestores(context: RequestContext): Promise<FastRestoreRow[]>;
  /** Snapshots whose time in the Recycle Bin is over. */
  dueToLeaveBin(now: Instant, limit: number): Promise<DueSnapshot[]>;
  /** Snapshots whose temporary restore is over. */
  dueToReturn(now: Instant, limit: number): Promise<DueSnapshot[]>;
}
