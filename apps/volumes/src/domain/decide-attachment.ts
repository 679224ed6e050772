import type { InstanceId } from '@holdfast/contracts';
import { assertNever } from '@holdfast/decider';
import type { VolumeEvent } from './volume.events.ts';
import { depart } from './volume-deletion.ts';
import { changesSharing } from './volume-modification.ts';
import {
  type Attachment,
  attachmentOf,
  type CommandOf,
  type Decision,
  isShared,
  refuse,
  type VolumeState,
} from './volume-state.ts';

/** EC2's limit on the instances that share a volume. */
const MAX_SHARING_INSTANCES = 16;

const withAttachment = (state: VolumeState, instanceId: InstanceId, change: Partial<Attachment>): VolumeState => ({
  ...state,
  attachments: state.attachments.map((attachment) =>
    attachment.instanceId === instanceId ? { ...attachment, ...change } : attachment,
  ),
});

const withoutAttachment = (state: VolumeState, instanceId: InstanceId): VolumeState => {
  const attachments = state.attachments.filter((attachment) => attachment.instanceId !== instanceId);
  return { ...state, status: attachments.length === 0 ? 'available' : 'in-use', attachments };
};

type AttachmentEvent = Extract<
  VolumeEvent,
  {
    type:
      | 'AttachmentStarted'
      | 'AttachmentGrantCreated'
      | 'AttachmentCompleted'
      | 'AttachmentSuspended'
      | 'AttachmentResumed'
      | 'ReattachmentFailed'
      | 'DeleteOnTerminationChanged'
      | 'DetachmentStarted'
      | 'AttachmentFailed'
      | 'VolumeDetached';
  }
>;

export const evolveAttachment = (state: VolumeState, event: AttachmentEvent): VolumeState => {
  switch (event.type) {
    case 'AttachmentStarted': {
      const { instanceId, hostId, device, deleteOnTermination, isRoot = false, at: startedAt } = event;
      const attachment = {
        instanceId,
        hostId,
        device,
        deleteOnTermination,
        isRoot,
        suspended: false,
        startedAt,
        grantId: null,
        deleteVolume: false,
        failedRequestId: null,
      };
      const { attachments } = withoutAttachment(state, instanceId);
      return {
        ...state,
        status: 'in-use',
        attachments: [...attachments, { ...attachment, status: 'attaching' }],
        attachmentFailure: null,
      };
    }
    case 'AttachmentGrantCreated':
      return withAttachment(state, event.instanceId, { grantId: event.grantId });
    case 'AttachmentCompleted':
      return withAttachment(state, event.instanceId, { status: 'attached', suspended: event.suspended ?? false });
    case 'AttachmentSuspended':
      return withAttachment(state, event.instanceId, { suspended: true, grantId: null });
    case 'AttachmentResumed':
      return withAttachment(state, event.instanceId, { suspended: false });
    case 'ReattachmentFailed':
      return withAttachment(state, event.instanceId, { failedRequestId: event.requestId });
    case 'DeleteOnTerminationChanged':
      return withAttachment(state, event.instanceId, { deleteOnTermination: event.deleteOnTermination });
    case 'DetachmentStarted':
      return withAttachment(state, event.instanceId, { status: 'detaching', deleteVolume: event.deleteVolume });
    case 'AttachmentFailed':
      return { ...withoutAttachment(state, event.instanceId), attachmentFailure: event.cause };
    case 'VolumeDetached':
      return withoutAttachment(state, event.instanceId);
    default:
      return assertNever(event);
  }
};

const attach = (command: CommandOf<'AttachVolume'>, state: VolumeState): Decision => {
  const { volumeId, instanceId, hostId, device, deleteOnTermination, isRoot, at } = command;
  const { status, modification, attachments } = state;
  if (status === 'creating') return refuse('VolumeNotAvailable', { volumeId });
  if (status !== 'available' && status !== 'in-use') return refuse('VolumeNotFound', { volumeId });
  if (attachments.length > 0 && (!isShared(state) || attachmentOf(state, instanceId) !== undefined))
    return refuse('VolumeAlreadyAttached', { volumeId });
  if (attachments.length >= MAX_SHARING_INSTANCES)
    return refuse('MultiAttachLimitExceeded', { volumeId, maximum: MAX_SHARING_INSTANCES });
  // Who may share it is known in a moment.
  if (modification?.state === 'modifying' && changesSharing(modification))
    return refuse('VolumeNotAvailable', { volumeId });
  return [{ type: 'AttachmentStarted', volumeId, instanceId, hostId, device, deleteOnTermination, isRoot, at }];
};

const continueAttachment = (
  command: CommandOf<'RecordAttachmentGrant' | 'CompleteAttachment' | 'FailAttachment'>,
  state: VolumeState,
): Decision => {
  const { volumeId, instanceId, at } = command;
  const current = attachmentOf(state, instanceId);
  switch (command.type) {
    case 'RecordAttachmentGrant': {
      const { grantId } = command;
      if (current?.grantId === grantId) return [];
      // While attaching, and when a stopped instance starts again.
      if (current?.status !== 'attaching' && !(current?.status === 'attached' && current.suspended))
        return refuse('AttachmentNotStarted', { volumeId, instanceId });
      return [{ type: 'AttachmentGrantCreated', volumeId, instanceId, grantId, at }];
    }
    case 'CompleteAttachment':
      if (current?.status === 'attached') return []; // Reported twice.
      if (current?.status !== 'attaching') return refuse('AttachmentNotStarted', { volumeId, instanceId });
      return [{ type: 'AttachmentCompleted', volumeId, instanceId, suspended: command.suspended, at }];
    case 'FailAttachment':
      if (current?.status !== 'attaching') return [];
      return [{ type: 'AttachmentFailed', volumeId, instanceId, reason: command.reason, cause: command.cause, at }];
    default:
      return assertNever(command);
  }
};

/** Of a volume that is attached; one that is on its way in or out is none of these commands' business. */
const changeAttachment = (
  command: CommandOf<
    'SuspendAttachment' | 'ResumeAttachment' | 'NoteReattachmentFailure' | 'ChangeDeleteOnTermination'
  >,
  state: VolumeState,
): Decision => {
  const { volumeId, instanceId, at } = command;
  const attachment = attachmentOf(state, instanceId);
  if (attachment?.status !== 'attached') return [];
  switch (command.type) {
    case 'SuspendAttachment':
      return attachment.suspended && attachment.grantId === null
        ? []
        : [{ type: 'AttachmentSuspended', volumeId, instanceId, at }];
    case 'ResumeAttachment':
      return attachment.suspended ? [{ type: 'AttachmentResumed', volumeId, instanceId, at }] : [];
    case 'NoteReattachmentFailure': {
      const { cause, requestId } = command;
      if (!attachment.suspended || attachment.failedRequestId === requestId) return [];
      return [{ type: 'ReattachmentFailed', volumeId, instanceId, cause, requestId, at }];
    }
    case 'ChangeDeleteOnTermination': {
      const { deleteOnTermination } = command;
      if (attachment.deleteOnTermination === deleteOnTermination) return [];
      return [{ type: 'DeleteOnTerminationChanged', volumeId, instanceId, deleteOnTermination, at }];
    }
    default:
      return assertNever(command);
  }
};

/** A volume that may be shared is detached from a named instance only, even while it has but one. */
const detach = (command: CommandOf<'DetachVolume'>, state: VolumeState): Decision => {
  const { volumeId, instanceId, device, at } = command;
  const { status, attachments } = state;
  if (status === 'absent' || status === 'gone' || status === 'deleting') return refuse('VolumeNotFound', { volumeId });
  const [first] = attachments;
  if (first === undefined) return refuse('VolumeNotAttached', { volumeId, status });
  if (instanceId === undefined && isShared(state)) return refuse('InstanceIdMissing', { volumeId });
  const attachment = instanceId === undefined ? first : attachmentOf(state, instanceId);
  if (attachment === undefined || (device !== undefined && device !== attachment.device))
    return refuse('AttachmentNotFound', { volumeId, instanceId: instanceId ?? first.instanceId, device });
  if (attachment.status === 'detaching') return [];
  // What is being attached is finished or undone first; the caller sees the state and tries again.
  if (attachment.status === 'attaching') return refuse('VolumeNotAttached', { volumeId, status: 'attaching' });
  return [{ type: 'DetachmentStarted', volumeId, instanceId: attachment.instanceId, deleteVolume: false, at }];
};

const release = ({ volumeId, instanceId, at }: CommandOf<'ReleaseFromInstance'>, state: VolumeState): Decision => {
  const attachment = attachmentOf(state, instanceId);
  if (attachment === undefined || attachment.status === 'detaching') return [];
  return [{ type: 'DetachmentStarted', volumeId, instanceId, deleteVolume: attachment.deleteOnTermination, at }];
};

/** Of the instances that share a volume, the last one's setting decides whether the volume ends with it. */
const completeDetachment = (command: CommandOf<'CompleteDetachment'>, state: VolumeState): Decision => {
  const { volumeId, instanceId, at } = command;
  const attachment = attachmentOf(state, instanceId);
  if (attachment?.status !== 'detaching') return [];
  const detached: VolumeEvent = { type: 'VolumeDetached', volumeId, instanceId, at };
  const ends = attachment.deleteVolume && state.attachments.length === 1;
  return ends ? [detached, ...depart(command, state, command.retentionDays)] : [detached];
};

type AttachmentCommand = CommandOf<
  | 'AttachVolume'
  | 'RecordAttachmentGrant'
  | 'CompleteAttachment'
  | 'FailAttachment'
  | 'SuspendAttachment'
  | 'ResumeAttachment'
  | 'NoteReattachmentFailure'
  | 'ChangeDeleteOnTermination'
  | 'DetachVolume'
  | 'ReleaseFromInstance'
  | 'CompleteDetachment'
>;

/** What is decided about a volume's attachment to an instance. */
export const decideAttachment = (command: AttachmentCommand, state: VolumeState): Decision => {
  switch (command.type) {
    case 'AttachVolume':
      return attach(command, state);
    case 'RecordAttachmentGrant':
    case 'CompleteAttachment':
    case 'FailAttachment':
      return continueAttachment(command, state);
    case 'SuspendAttachment':
    case 'ResumeAttachment':
    case 'NoteReattachmentFailure':
    case 'ChangeDeleteOnTermination':
      return changeAttachment(command, state);
    case 'DetachVolume':
      return detach(command, state);
    case 'ReleaseFromInstance':
      return release(command, state);
    case 'CompleteDetachment':
      return completeDetachment(command, state);
    default:
      return assertNever(command);
  }
};
