import type { Instant, InstanceId, WrappedDataKey } from '@holdfast/contracts';
import { assertNever, type Decider, DomainError } from '@holdfast/decider';
import { exceedsTagLimit, removedKeys, type Tags, withoutTags, withTags } from '@holdfast/ec2';
import type { VolumeCommand } from './volume.commands.ts';
import {
  MAX_MODIFICATIONS,
  type Modification,
  modifiedConfiguration,
  nextModificationAt,
} from './volume-modification.ts';
import type { VolumeConfiguration } from './volume-type-limits.ts';
import type { VolumeCreated, VolumeEvent } from './volume.events.ts';

export interface Attachment {
  readonly instanceId: InstanceId;
  readonly hostId: string;
  readonly device: string;
  readonly deleteOnTermination: boolean;
  readonly status: 'attaching' | 'attached' | 'detaching';
  /** Null until KMS made it, and for a volume that is not encrypted. */
  readonly grantId: string | null;
  /** When detached the volume is to be deleted. */
  readonly deleteVolume: boolean;
  readonly startedAt: Instant;
}

/** What the next decision needs, and what work that was begun needs to be finished. */
export interface VolumeState {
  /** `gone`: deleted, or its creation failed. Attached is `in-use` from the moment that attaching starts. */
  readonly status: 'absent' | 'creating' | 'available' | 'in-use' | 'deleting' | 'gone';
  readonly created: VolumeCreated | null;
  readonly dataKey: WrappedDataKey | null;
  readonly sourceDataKey: WrappedDataKey | null;
  readonly grantId: string | null;
  readonly attachment: Attachment | null;
  /** Null until the volume is created. */
  readonly configuration: VolumeConfiguration | null;
  /** The latest one. */
  readonly modification: Modification | null;
  /** When the latest ones began, oldest first: no more than the limit on them needs. */
  readonly modificationTimes: readonly Instant[];
  readonly autoEnableIo: boolean;
  readonly tags: Tags;
}

export type VolumeErrorCode =
  | 'VolumeAlreadyExists'
  | 'VolumeNotFound'
  | 'VolumeNotCreating'
  | 'VolumeNotAvailable'
  | 'VolumeInUse'
  | 'VolumeAlreadyAttached'
  | 'VolumeNotAttached'
  | 'AttachmentNotFound'
  | 'AttachmentNotStarted'
  | 'ModificationRateExceeded'
  | 'ModificationUnfinished'
  | 'SizeShrunk'
  | 'VolumeNotModifiable'
  | 'TagLimitExceeded';

const refuse = (code: VolumeErrorCode, details: Record<string, unknown>): never => {
  throw new DomainError(code, details);
};

const initialState: VolumeState = {
  status: 'absent',
  created: null,
  dataKey: null,
  sourceDataKey: null,
  grantId: null,
  attachment: null,
  configuration: null,
  modification: null,
  modificationTimes: [],
  autoEnableIo: false,
  tags: {},
};

const configurationOf = ({ volumeType, sizeGiB, iops, throughputMiBps }: VolumeCreated): VolumeConfiguration => ({
  volumeType,
  sizeGiB,
  iops,
  throughputMiBps,
});

const withModification = (state: VolumeState, change: Partial<Modification>): VolumeState =>
  state.modification === null ? state : { ...state, modification: { ...state.modification, ...change } };

const withAttachment = (state: VolumeState, change: Partial<Attachment>): VolumeState =>
  state.attachment === null ? state : { ...state, attachment: { ...state.attachment, ...change } };

const evolve = (state: VolumeState, event: VolumeEvent): VolumeState => {
  switch (event.type) {
    case 'VolumeCreated':
      return {
        ...state,
        status: 'creating',
        created: event,
        configuration: configurationOf(event),
        tags: event.tags,
      };
    case 'VolumeDataKeyObtained':
      return { ...state, dataKey: event.dataKey, sourceDataKey: event.sourceDataKey };
    case 'VolumeGrantCreated':
      return { ...state, grantId: event.grantId };
    case 'VolumeProvisioned':
      return { ...state, status: 'available' };
    case 'VolumeCreationFailed':
    case 'VolumeDeleted':
      return { ...state, status: 'gone' };
    case 'VolumeDeletionStarted':
      return { ...state, status: 'deleting' };
    case 'AttachmentStarted': {
      const { instanceId, hostId, device, deleteOnTermination, at: startedAt } = event;
      const attachment = {
        instanceId,
        hostId,
        device,
        deleteOnTermination,
        startedAt,
        grantId: null,
        deleteVolume: false,
      };
      return { ...state, status: 'in-use', attachment: { ...attachment, status: 'attaching' } };
    }
    case 'AttachmentGrantCreated':
      return withAttachment(state, { grantId: event.grantId });
    case 'AttachmentCompleted':
      return withAttachment(state, { status: 'attached' });
    case 'DetachmentStarted':
      return withAttachment(state, { status: 'detaching', deleteVolume: event.deleteVolume });
    case 'AttachmentFailed':
    case 'VolumeDetached':
      return { ...state, status: 'available', attachment: null };
    case 'ModificationStarted': {
      const { original, target, at: startedAt } = event;
      const modificationTimes = [...state.modificationTimes, startedAt].slice(-MAX_MODIFICATIONS);
      return { ...state, modification: { state: 'modifying', original, target, startedAt }, modificationTimes };
    }
    case 'ModificationTookEffect': {
      const configuration = state.modification?.target ?? state.configuration;
      return { ...withModification(state, { state: 'optimizing' }), configuration };
    }
    case 'ModificationCompleted':
      return withModification(state, { state: 'completed' });
    case 'ModificationFailed':
      return withModification(state, { state: 'failed' });
    case 'AutoEnableIoChanged':
      return { ...state, autoEnableIo: event.autoEnableIo };
    case 'VolumeTagged':
      return { ...state, tags: withTags(state.tags, event.tags) };
    case 'VolumeUntagged':
      return { ...state, tags: withoutTags(state.tags, event.keys) };
    default:
      return assertNever(event);
  }
};

type CommandOf<Type extends VolumeCommand['type']> = Extract<VolumeCommand, { type: Type }>;
type Decision = readonly VolumeEvent[];

const create = (command: CommandOf<'CreateVolume'>, { status }: VolumeState): Decision => {
  const { volumeId, accountId, region, availabilityZone, availabilityZoneId, volumeType, sizeGiB, iops } = command;
  const { throughputMiBps, source, encryption, tags, at } = command;
  if (status !== 'absent') return refuse('VolumeAlreadyExists', { volumeId });
  return [
    {
      type: 'VolumeCreated', volumeId, accountId, region, availabilityZone, availabilityZoneId,
      volumeType, sizeGiB, iops, throughputMiBps, source, encryption, tags, at,
    },
  ]; // prettier-ignore
};

/** Steps of a creation are taken at least once, and not at all once it has ended either way. */
const continueCreation = (
  command: CommandOf<'RecordDataKey' | 'RecordGrant' | 'CompleteCreation' | 'FailCreation'>,
  state: VolumeState,
): Decision => {
  const { volumeId, at } = command;
  if (state.status === 'absent') return refuse('VolumeNotFound', { volumeId });
  const creating = state.status === 'creating';
  switch (command.type) {
    case 'RecordDataKey': {
      // A second data key must not replace one that blocks may already be under.
      if (!creating || state.dataKey !== null) return refuse('VolumeNotCreating', { volumeId });
      const { dataKey, sourceDataKey } = command;
      return [{ type: 'VolumeDataKeyObtained', volumeId, dataKey, sourceDataKey, at }];
    }
    case 'RecordGrant':
      if (state.grantId === command.grantId) return [];
      if (!creating) return refuse('VolumeNotCreating', { volumeId });
      return [{ type: 'VolumeGrantCreated', volumeId, grantId: command.grantId, at }];
    case 'CompleteCreation':
      return creating ? [{ type: 'VolumeProvisioned', volumeId, hostId: command.hostId, at }] : [];
    case 'FailCreation':
      return creating ? [{ type: 'VolumeCreationFailed', volumeId, cause: command.cause, at }] : [];
    default:
      return assertNever(command);
  }
};

const remove = ({ volumeId, at }: CommandOf<'DeleteVolume'>, { status }: VolumeState): Decision => {
  if (status === 'creating') return refuse('VolumeNotAvailable', { volumeId });
  if (status === 'in-use') return refuse('VolumeInUse', { volumeId });
  if (status !== 'available') return refuse('VolumeNotFound', { volumeId });
  return [{ type: 'VolumeDeletionStarted', volumeId, at }];
};

const attach = (command: CommandOf<'AttachVolume'>, { status }: VolumeState): Decision => {
  const { volumeId, instanceId, hostId, device, deleteOnTermination, at } = command;
  if (status === 'creating') return refuse('VolumeNotAvailable', { volumeId });
  if (status === 'in-use') return refuse('VolumeAlreadyAttached', { volumeId });
  if (status !== 'available') return refuse('VolumeNotFound', { volumeId });
  return [{ type: 'AttachmentStarted', volumeId, instanceId, hostId, device, deleteOnTermination, at }];
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
      if (current?.status !== 'attaching') return refuse('AttachmentNotStarted', { volumeId, instanceId });
      return [{ type: 'AttachmentGrantCreated', volumeId, instanceId, grantId, at }];
    }
    case 'CompleteAttachment':
      if (current?.status === 'attached') return []; // Reported twice.
      if (current?.status !== 'attaching') return refuse('AttachmentNotStarted', { volumeId, instanceId });
      return [{ type: 'AttachmentCompleted', volumeId, instanceId, at }];
    case 'FailAttachment':
      if (current?.status !== 'attaching') return [];
      return [{ type: 'AttachmentFailed', volumeId, instanceId, reason: command.reason, cause: command.cause, at }];
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

const modify = (command: CommandOf<'ModifyVolume'>, state: VolumeState): Decision => {
  const { volumeId, request, at } = command;
  const { status, configuration, modification, modificationTimes } = state;
  if (configuration === null || status === 'gone' || status === 'absent') return refuse('VolumeNotFound', { volumeId });
  if (status !== 'available' && status !== 'in-use') return refuse('VolumeNotModifiable', { volumeId });
  if (modification?.state === 'modifying' || modification?.state === 'optimizing')
    return refuse('ModificationUnfinished', { volumeId, state: modification.state.toUpperCase() });
  const possibleAt = nextModificationAt(modificationTimes, at);
  if (possibleAt !== null) return refuse('ModificationRateExceeded', { possibleAt });
  const target = modifiedConfiguration(configuration, request);
  return [{ type: 'ModificationStarted', volumeId, original: configuration, target, at }];
};

/** Steps are taken at least once, in their order, and not at all on a volume that is going. */
const continueModification = (
  command: CommandOf<'NoteModificationEffect' | 'CompleteModification' | 'FailModification'>,
  { status, modification }: VolumeState,
): Decision => {
  const { volumeId, at } = command;
  if (status !== 'available' && status !== 'in-use') return [];
  switch (command.type) {
    case 'NoteModificationEffect':
      return modification?.state === 'modifying' ? [{ type: 'ModificationTookEffect', volumeId, at }] : [];
    case 'CompleteModification':
      return modification?.state === 'optimizing' ? [{ type: 'ModificationCompleted', volumeId, at }] : [];
    case 'FailModification':
      if (modification?.state !== 'modifying') return [];
      return [{ type: 'ModificationFailed', volumeId, cause: command.cause, at }];
    default:
      return assertNever(command);
  }
};

const changeAutoEnableIo = (command: CommandOf<'ChangeAutoEnableIo'>, state: VolumeState): Decision => {
  const { volumeId, autoEnableIo, at } = command;
  if (state.status === 'absent' || state.status === 'gone') return refuse('VolumeNotFound', { volumeId });
  return state.autoEnableIo === autoEnableIo ? [] : [{ type: 'AutoEnableIoChanged', volumeId, autoEnableIo, at }];
};

const tag = (command: CommandOf<'TagVolume' | 'UntagVolume'>, { status, tags }: VolumeState): Decision => {
  const { volumeId, at } = command;
  if (status === 'absent' || status === 'gone') return refuse('VolumeNotFound', { volumeId });
  if (command.type === 'UntagVolume') {
    const keys = removedKeys(tags, command.removal);
    return keys.length === 0 ? [] : [{ type: 'VolumeUntagged', volumeId, keys, at }];
  }
  if (exceedsTagLimit(withTags(tags, command.tags))) return refuse('TagLimitExceeded', { volumeId });
  const changed = Object.entries(command.tags).some(([key, value]) => tags[key] !== value);
  return changed ? [{ type: 'VolumeTagged', volumeId, tags: command.tags, at }] : [];
};

const decide = (command: VolumeCommand, state: VolumeState): Decision => {
  switch (command.type) {
    case 'CreateVolume':
      return create(command, state);
    case 'RecordDataKey':
    case 'RecordGrant':
    case 'CompleteCreation':
    case 'FailCreation':
      return continueCreation(command, state);
    case 'DeleteVolume':
      return remove(command, state);
    case 'CompleteDeletion':
      return state.status === 'deleting' ? [{ type: 'VolumeDeleted', volumeId: command.volumeId, at: command.at }] : [];
    case 'AttachVolume':
      return attach(command, state);
    case 'RecordAttachmentGrant':
    case 'CompleteAttachment':
    case 'FailAttachment':
      return continueAttachment(command, state);
    case 'DetachVolume':
      return detach(command, state);
    case 'ReleaseFromInstance':
      return release(command, state);
    case 'CompleteDetachment':
      return completeDetachment(command, state);
    case 'ModifyVolume':
      return modify(command, state);
    case 'NoteModificationEffect':
    case 'CompleteModification':
    case 'FailModification':
      return continueModification(command, state);
    case 'ChangeAutoEnableIo':
      return changeAutoEnableIo(command, state);
    case 'TagVolume':
    case 'UntagVolume':
      return tag(command, state);
    default:
      return assertNever(command);
  }
};

export const volumeDecider: Decider<VolumeCommand, VolumeEvent, VolumeState> = { initialState, evolve, decide };
