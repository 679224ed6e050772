import type { AccountId, Instant, SnapshotId, WrappedDataKey } from '@holdfast/contracts';
import type { TagRemoval, Tags } from '@holdfast/ec2';
import type { FastRestoreCommand } from './fast-restore.ts';
import type { LockCommand } from './snapshot-lock.ts';
import type { TierCommand } from './snapshot-tier.ts';
import type { AmazonSnapshotProvided, CopyGrant, SnapshotCopyStarted, SnapshotStarted } from './snapshot.events.ts';

interface Command<Type extends string> {
  type: Type;
  snapshotId: SnapshotId;
  at: Instant;
}

export type SnapshotCommand =
  | (Omit<SnapshotStarted, 'type'> & { type: 'CreateSnapshot' })
  | (Omit<SnapshotCopyStarted, 'type'> & { type: 'CopySnapshot' })
  | (Omit<AmazonSnapshotProvided, 'type'> & { type: 'ProvideAmazonSnapshot' })
  | (Command<'ChoosePreviousCopy'> & { previousCopy: SnapshotId })
  | (Command<'RecordDataKey'> & { dataKey: WrappedDataKey })
  | (Command<'RecordGrant'> & { grant: CopyGrant })
  | (Command<'RecordProgress'> & { progress: number })
  | Command<'CompleteSnapshot'>
  | (Command<'FailSnapshot'> & { message: string; cause: string })
  /** `retentionDays`: how long the Recycle Bin keeps it; absent: no rule does. */
  | (Command<'DeleteSnapshot'> & { retentionDays?: number | null })
  | Command<'RestoreFromBin'>
  /** Its time in the Recycle Bin may be over. */
  | Command<'LeaveBin'>
  | LockCommand
  | TierCommand
  | FastRestoreCommand
  | Command<'CompleteDeletion'>
  /** With `viewer`: the tags that this account, which is not the owner, sees on it. */
  | (Command<'TagSnapshot'> & { tags: Tags; viewer?: AccountId })
  | (Command<'UntagSnapshot'> & { removal: TagRemoval; viewer?: AccountId })
  | ShareSnapshot
  | (Command<'UnshareSnapshot'> & { accounts: readonly AccountId[]; public: boolean })
  /** Nobody but the owner may create volumes any more. */
  | Command<'ResetSharing'>;

export interface ShareSnapshot extends Command<'ShareSnapshot'> {
  accounts: readonly AccountId[];
  public: boolean;
  /** Whether the snapshot's key is one that AWS manages: no other account can be let use it. */
  keyManagedByAws: boolean;
  /** Whether the owner's account keeps its snapshots from becoming public. */
  publicSharingBlocked: boolean;
}
