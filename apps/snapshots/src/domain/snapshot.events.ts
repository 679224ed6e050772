import type { AccountId, Instant, Region, SnapshotId, VolumeId, WrappedDataKey } from '@holdfast/contracts';
import type { FastRestoreEvent } from './fast-restore.ts';
import type { LockEvent } from './snapshot-lock.ts';
import type { TierEvent } from './snapshot-tier.ts';

export interface SetMember {
  snapshotId: SnapshotId;
  volumeId: VolumeId;
}

/** A snapshot of a volume goes on with the volume's data key, under the volume's encryption context. */
export interface SnapshotStarted {
  type: 'SnapshotStarted';
  snapshotId: SnapshotId;
  ownerId: AccountId;
  region: Region;
  volumeId: VolumeId;
  volumeSizeGiB: number;
  dataKey: WrappedDataKey | null;
  description: string;
  tags: Readonly<Record<string, string>>;
  /** Of a snapshot that its client makes of blocks (EBS direct): it is of no volume. */
  direct?: { parentSnapshotId: SnapshotId | null; parametersHash: string };
  /** Of snapshots that an instance's volumes were given at one point in time, this one among them: all or none is completed. */
  set?: readonly SetMember[];
  at: Instant;
}

/** The source as its owner's request found it. */
export interface CopySource {
  snapshotId: SnapshotId;
  region: Region;
  /** `missing`: none that the caller may see. */
  status: 'missing' | 'pending' | 'completed' | 'error' | 'archived';
  /** The volume that it is of, if it is of one: copies of its snapshots follow one another. */
  volumeId?: VolumeId;
  dataKey: WrappedDataKey | null;
  /** Nothing was ever written to it, and no host has blocks of it. */
  empty?: boolean;
}

export interface SnapshotCopyStarted {
  type: 'SnapshotCopyStarted';
  snapshotId: SnapshotId;
  ownerId: AccountId;
  /** The destination, where the copy is. */
  region: Region;
  source: CopySource;
  volumeSizeGiB: number;
  /** The copy's key, which DescribeKey found usable; null: the copy is not encrypted. */
  keyArn: string | null;
  description: string;
  tags: Readonly<Record<string, string>>;
  at: Instant;
}

/**
 * Under which EBS may, until the copy is made, unwrap its source's data key, the copy's own, or that of the copy before it; and
 * wrap that one for the copy.
 */
export interface CopyGrant {
  purpose: 'destination' | 'source' | 'previous';
  keyArn: string;
  region: Region;
  grantId: string;
}

/** A public snapshot of Amazon's own, of which nothing was ever written: what EBS-backed images are made of. */
export interface AmazonSnapshotProvided {
  type: 'AmazonSnapshotProvided';
  snapshotId: SnapshotId;
  ownerId: AccountId;
  region: Region;
  volumeSizeGiB: number;
  description: string;
  at: Instant;
}

/** Accounts that gained, or lost, the permission to create volumes; `public`: so did everybody. */
export interface SharingChange<Type extends string> {
  type: Type;
  snapshotId: SnapshotId;
  accounts: readonly AccountId[];
  public: boolean;
  at: Instant;
}

/** The facts of one snapshot's life; stream `snapshot-<snapshotId>`. */
export type SnapshotEvent =
  | SnapshotStarted
  | SnapshotCopyStarted
  | AmazonSnapshotProvided
  /** It is incremental to this one: it goes on with its data key, and takes over what did not change. */
  | { type: 'PreviousCopyChosen'; snapshotId: SnapshotId; previousCopy: SnapshotId; at: Instant }
  /** `previousCopy`: as above, where nothing was chosen before. */
  | {
      type: 'CopyDataKeyObtained';
      snapshotId: SnapshotId;
      dataKey: WrappedDataKey;
      previousCopy?: SnapshotId;
      at: Instant;
    }
  | { type: 'CopyGrantCreated'; snapshotId: SnapshotId; grant: CopyGrant; at: Instant }
  /** In percent, below 100. */
  | { type: 'SnapshotProgressed'; snapshotId: SnapshotId; progress: number; at: Instant }
  | { type: 'SnapshotCompleted'; snapshotId: SnapshotId; at: Instant }
  /** `message` is what DescribeSnapshots shows as the state's message, `cause` what happened. */
  | { type: 'SnapshotFailed'; snapshotId: SnapshotId; message: string; cause: string; at: Instant }
  /** Deleted by its owner while it was pending; it goes when it is completed. */
  | {
      type: 'SnapshotDeletionRequested';
      snapshotId: SnapshotId;
      /** How long the Recycle Bin is to keep it then; absent: it does not. */
      retentionDays?: number;
      at: Instant;
    }
  | { type: 'SnapshotDeletionStarted'; snapshotId: SnapshotId; at: Instant }
  | { type: 'SnapshotDeleted'; snapshotId: SnapshotId; at: Instant }
  | { type: 'SnapshotTagged'; snapshotId: SnapshotId; tags: Readonly<Record<string, string>>; at: Instant }
  | { type: 'SnapshotUntagged'; snapshotId: SnapshotId; keys: readonly string[]; at: Instant }
  /** Deleted, and kept by a retention rule of the Recycle Bin. */
  | { type: 'SnapshotRecycled'; snapshotId: SnapshotId; exitsAt: Instant; at: Instant }
  | { type: 'SnapshotRestoredFromBin'; snapshotId: SnapshotId; at: Instant }
  | LockEvent
  | TierEvent
  | FastRestoreEvent
  | SharingChange<'SnapshotShared'>
  | SharingChange<'SnapshotUnshared'>
  /** Of a snapshot that `viewer` sees because it is shared: nobody else sees these tags, the owner included. */
  | {
      type: 'SnapshotTaggedByViewer';
      snapshotId: SnapshotId;
      viewer: AccountId;
      tags: Readonly<Record<string, string>>;
      at: Instant;
    }
  | {
      type: 'SnapshotUntaggedByViewer';
      snapshotId: SnapshotId;
      viewer: AccountId;
      keys: readonly string[];
      at: Instant;
    };
