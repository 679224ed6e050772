import type { Instant, InstanceId, VolumeId } from '@holdfast/contracts';
import type { TagRemoval, Tags } from '@holdfast/ec2';
import type { ModificationRequest } from './volume-modification.ts';
import type { AttachmentFailed, AttachmentStarted, VolumeCreated, VolumeDataKeyObtained } from './volume.events.ts';

interface Command<Type extends string> {
  type: Type;
  volumeId: VolumeId;
  at: Instant;
}

/** Asks for what an event records. */
type Asking<Event extends { type: string }, Type extends string> = Omit<Event, 'type'> & { type: Type };

export type VolumeCommand =
  | Asking<VolumeCreated, 'CreateVolume'>
  | Asking<VolumeDataKeyObtained, 'RecordDataKey'>
  | (Command<'RecordGrant'> & { grantId: string })
  | Command<'NoteGrantRetired'>
  | (Command<'CompleteCreation'> & { hostId: string })
  | Command<'NoteInitialized'>
  | (Command<'FailCreation'> & { cause: string })
  /** `retentionDays`: how long a rule of the Recycle Bin keeps it; absent or null: none does. */
  | (Command<'DeleteVolume'> & { retentionDays?: number | null })
  | Command<'WaiveRetention'>
  | Command<'RestoreFromBin'>
  /** Its time in the Recycle Bin is over. */
  | Command<'LeaveBin'>
  | Command<'CompleteDeletion'>
  | Asking<AttachmentStarted, 'AttachVolume'>
  | (Command<'RecordAttachmentGrant'> & { instanceId: InstanceId; grantId: string })
  | (Command<'CompleteAttachment'> & { instanceId: InstanceId; suspended?: boolean })
  | (Command<'SuspendAttachment'> & { instanceId: InstanceId })
  | (Command<'ResumeAttachment'> & { instanceId: InstanceId })
  | (Command<'NoteReattachmentFailure'> & { instanceId: InstanceId; cause: string; requestId: string })
  | (Command<'ChangeDeleteOnTermination'> & { instanceId: InstanceId; deleteOnTermination: boolean })
  | Asking<AttachmentFailed, 'FailAttachment'>
  /** Without an instance or device: whatever the volume is attached to, unless it may be several. */
  | (Command<'DetachVolume'> & { instanceId?: InstanceId; device?: string })
  /** The instance is gone, and with it the attachment, whatever state that is in. */
  | (Command<'ReleaseFromInstance'> & { instanceId: InstanceId })
  /** `retentionDays`: as DeleteVolume's, should the volume be deleted with this. */
  | (Command<'CompleteDetachment'> & { instanceId: InstanceId; retentionDays?: number | null })
  | (Command<'ModifyVolume'> & { request: ModificationRequest })
  | Command<'NoteModificationEffect'>
  | Command<'CompleteModification'>
  | (Command<'FailModification'> & { cause: string })
  | (Command<'ChangeAutoEnableIo'> & { autoEnableIo: boolean })
  | (Command<'TagVolume'> & { tags: Tags })
  | (Command<'UntagVolume'> & { removal: TagRemoval });
