import type { AccountId, Instant, SnapshotId, WrappedDataKey } from '@holdfast/contracts';
import type { TagRemoval, Tags } from '@holdfast/ec2';
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
  | (Command<'RecordDataKey'> & { dataKey: WrappedDataKey })
  | (Command<'RecordGrant'> & { grant: CopyGrant })
  | (Command<'RecordProgress'> & { progress: number })
  | Command<'CompleteSnapshot'>
  | (Command<'FailSnapshot'> & { message: string; cause: string })
  | Command<'DeleteSnapshot'>
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
