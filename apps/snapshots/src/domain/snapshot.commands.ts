import type { Instant, SnapshotId, WrappedDataKey } from '@holdfast/contracts';
import type { TagRemoval, Tags } from '@holdfast/ec2';
import type { CopyGrant, SnapshotCopyStarted, SnapshotStarted } from './snapshot.events.ts';

interface Command<Type extends string> {
  type: Type;
  snapshotId: SnapshotId;
  at: Instant;
}

export type SnapshotCommand =
  | (Omit<SnapshotStarted, 'type'> & { type: 'CreateSnapshot' })
  | (Omit<SnapshotCopyStarted, 'type'> & { type: 'CopySnapshot' })
  | (Command<'RecordDataKey'> & { dataKey: WrappedDataKey })
  | (Command<'RecordGrant'> & { grant: CopyGrant })
  | (Command<'RecordProgress'> & { progress: number })
  | Command<'CompleteSnapshot'>
  | (Command<'FailSnapshot'> & { message: string; cause: string })
  | Command<'DeleteSnapshot'>
  | Command<'CompleteDeletion'>
  | (Command<'TagSnapshot'> & { tags: Tags })
  | (Command<'UntagSnapshot'> & { removal: TagRemoval });
