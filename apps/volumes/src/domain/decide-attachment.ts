import { assertNever } from '@holdfast/decider';
import type { VolumeEvent } from './volume.events.ts';
import { type Attachment, type CommandOf, type Decision, refuse, type VolumeState } from './volume-state.ts';

const withAttachment = (state: VolumeState, change: Partial<Attachment>): VolumeState =>
  state.attachment === null ? state : { ...state, attachment: { ...state.attachment, ...change } };

type AttachmentEvent = Extract<
  VolumeEvent,
  {
    type:
      | 'AttachmentStarted'
      | 'AttachmentGrantCreated'
      | 'AttachmentCompleted'
      | 'AttachmentSuspended'
      | 'AttachmentResumed'
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
      };
      return {
        ...state,
        status: 'in-use',
        attachment: { ...attachment, status: 'attaching' },
        attachmentFailure: null,
      };
    }
    case 'AttachmentGrantCreated':
      return withAttachment(state, { grantId: event.grantId });
    case 'AttachmentCompleted':
      return withAttachment(state, { status: 'attached', suspended: event.suspended ?? false });
    case 'AttachmentSuspended':
      return withAttachment(state, { suspended: true, grantId: null });
    case 'AttachmentResumed':
      return withAttachment(state, { suspended: false });
    case 'DeleteOnTerminationChanged':
      return withAttachment(state, { deleteOnTermination: event.deleteOnTermination });
    case 'DetachmentStarted':
      return withAttachment(state, { status: 'detaching', deleteVolume: event.deleteVolume });
    case 'AttachmentFailed':
      return { ...state, status: 'available', attachment: null, attachmentFailure: event.cause };
    case 'VolumeDetached':
      return { ...state, status: 'available', attachment: null };
    default:
      return assertNever(event);
  }
};

const attach = (command: CommandOf<'AttachVolume'>, { status }: VolumeState): Decision => {
  const { volumeId, instanceId, hostId, device, deleteOnTermination, isRoot, at } = command;
  if (status === 'creating') return refuse('VolumeNotAvailable', { volumeId });
  if (status === 'in-use') return refuse('VolumeAlreadyAttached', { volumeId });
  if (status !== 'available') return refuse('VolumeNotFound', { volumeId });
  return [{ type: 'AttachmentStarted', volumeId, instanceId, hostId, device, deleteOnTermination, isRoot, at }];
};

const continueAttachment = (
  command: CommandOf<'RecordAttachmentGrant' | 'CompleteAttachment' | 'FailAttachment'>,
  { attachment }: VolumeState,
): Decision => {
  const { volumeId, instanceId, at } = command;
  const current = attachment?.instanceId === instanceId ? attachment : null;
  switch (command.type) {
    case 'RecordAttachmentGrant': {
      const { grantId } = command;
      if (current !== null && current.grantId === grantId) return [];
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
  command: CommandOf<'SuspendAttachment' | 'ResumeAttachment' | 'ChangeDeleteOnTermination'>,
  { attachment }: VolumeState,
): Decision => {
  const { volumeId, instanceId, at } = command;
  if (attachment?.instanceId !== instanceId || attachment.status !== 'attached') return [];
  switch (command.type) {
    case 'SuspendAttachment':
      return attachment.suspended && attachment.grantId === null
        ? []
        : [{ type: 'AttachmentSuspended', volumeId, instanceId, at }];
    case 'ResumeAttachment':
      return attachment.suspended ? [{ type: 'AttachmentResumed', volumeId, instanceId, at }] : [];
    case 'ChangeDeleteOnTermination': {
      const { deleteOnTermination } = command;
      if (attachment.deleteOnTermination === deleteOnTermination) return [];
      return [{ type: 'DeleteOnTerminationChanged', volumeId, instanceId, deleteOnTermination, at }];
    }
    default:
      return assertNever(command);
  }
};

const detach = (command: CommandOf<'DetachVolume'>, { status, attachment }: VolumeState): Decision => {
  const { volumeId, instanceId, device, at } = command;
  if (status === 'absent' || status === 'gone' || status === 'deleting') return refuse('VolumeNotFound', { volumeId });
  if (attachment === null) return refuse('VolumeNotAttached', { volumeId, status });
  const matches =
    (instanceId === undefined || instanceId === attachment.instanceId) &&
    (device === undefined || device === attachment.device);
  if (!matches)
    return refuse('AttachmentNotFound', { volumeId, instanceId: instanceId ?? attachment.instanceId, device });
  if (attachment.status === 'detaching') return [];
  // What is being attached is finished or undone first; the caller sees the state and tries again.
  if (attachment.status === 'attaching') return refuse('VolumeNotAttached', { volumeId, status: 'attaching' });
  return [{ type: 'DetachmentStarted', volumeId, instanceId: attachment.instanceId, deleteVolume: false, at }];
};

const release = ({ volumeId, instanceId, at }: CommandOf<'ReleaseFromInstance'>, state: VolumeState): Decision => {
  const { attachment } = state;
  if (attachment?.instanceId !== instanceId || attachment.status === 'detaching') return [];
  return [{ type: 'DetachmentStarted', volumeId, instanceId, deleteVolume: attachment.deleteOnTermination, at }];
};

const completeDetachment = (command: CommandOf<'CompleteDetachment'>, { attachment }: VolumeState): Decision => {
  const { volumeId, instanceId, at } = command;
  if (attachment?.instanceId !== instanceId || attachment.status !== 'detaching') return [];
  const detached: VolumeEvent = { type: 'VolumeDetached', volumeId, instanceId, at };
  return attachment.deleteVolume ? [detached, { type: 'VolumeDeletionStarted', volumeId, at }] : [detached];
};

type AttachmentCommand = CommandOf<
  | 'AttachVolume'
  | 'RecordAttachmentGrant'
  | 'CompleteAttachment'
  | 'FailAttachment'
  | 'SuspendAttachment'
  | 'ResumeAttachment'
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
