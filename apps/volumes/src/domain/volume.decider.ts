import { assertNever, type Decider } from '@holdfast/decider';
import { exceedsTagLimit, removedKeys, withoutTags, withTags } from '@holdfast/ec2';
import { decideAttachment, evolveAttachment } from './decide-attachment.ts';
import { decideDeletion } from './volume-deletion.ts';
import type { VolumeCommand } from './volume.commands.ts';
import {
  changesSharing,
  MAX_MODIFICATIONS,
  type Modification,
  modifiedConfiguration,
  nextModificationAt,
} from './volume-modification.ts';
import { type CommandOf, type Decision, refuse, type VolumeState } from './volume-state.ts';
import type { VolumeConfiguration } from './volume-type-limits.ts';
import type { VolumeCreated, VolumeEvent } from './volume.events.ts';

const initialState: VolumeState = {
  status: 'absent',
  exitsAt: null,
  retentionWaived: false,
  created: null,
  initialized: false,
  dataKey: null,
  sourceDataKey: null,
  grantId: null,
  attachments: [],
  attachmentFailure: null,
  creationFailure: null,
  configuration: null,
  modification: null,
  modificationTimes: [],
  autoEnableIo: false,
  tags: {},
};

const configurationOf = (created: VolumeCreated): VolumeConfiguration => {
  const { volumeType, sizeGiB, iops, throughputMiBps, multiAttachEnabled = false } = created;
  return { volumeType, sizeGiB, iops, throughputMiBps, multiAttachEnabled };
};

const withModification = (state: VolumeState, change: Partial<Modification>): VolumeState =>
  state.modification === null ? state : { ...state, modification: { ...state.modification, ...change } };

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
    case 'VolumeGrantRetired':
      return { ...state, grantId: null };
    case 'VolumeProvisioned':
      // What its blocks were made under has been retired by now.
      return { ...state, status: 'available', grantId: state.created?.keepsGrant === true ? state.grantId : null };
    case 'VolumeInitialized':
      return { ...state, initialized: true };
    case 'VolumeCreationFailed':
      return { ...state, status: 'gone', creationFailure: event.cause };
    case 'VolumeDeleted':
      return { ...state, status: 'gone' };
    case 'VolumeRecycled':
      return { ...state, status: 'recycled', exitsAt: event.exitsAt };
    case 'VolumeRestoredFromBin':
      return { ...state, status: 'available', exitsAt: null };
    case 'VolumeRetentionWaived':
      return { ...state, retentionWaived: true };
    case 'VolumeDeletionStarted':
      return { ...state, status: 'deleting', exitsAt: null };
    case 'AttachmentStarted':
    case 'AttachmentGrantCreated':
    case 'AttachmentCompleted':
    case 'AttachmentSuspended':
    case 'AttachmentResumed':
    case 'ReattachmentFailed':
    case 'DeleteOnTerminationChanged':
    case 'DetachmentStarted':
    case 'AttachmentFailed':
    case 'VolumeDetached':
      return evolveAttachment(state, event);
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

const create = (command: CommandOf<'CreateVolume'>, { status }: VolumeState): Decision => {
  const { volumeId, accountId, region, availabilityZone, availabilityZoneId, volumeType, sizeGiB, iops } = command;
  const { throughputMiBps, multiAttachEnabled, initializationRateMiBps, fastRestored, source } = command;
  const { encryption, keepsGrant, tags, at } = command;
  if (status !== 'absent') return refuse('VolumeAlreadyExists', { volumeId });
  return [
    {
      type: 'VolumeCreated', volumeId, accountId, region, availabilityZone, availabilityZoneId,
      volumeType, sizeGiB, iops, throughputMiBps, multiAttachEnabled, initializationRateMiBps, fastRestored, source, encryption, keepsGrant,
      tags, at,
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
      if (!creating && state.status !== 'in-use') return refuse('VolumeNotCreating', { volumeId });
      return [{ type: 'VolumeGrantCreated', volumeId, grantId: command.grantId, at }];
    case 'CompleteCreation':
      return creating ? [{ type: 'VolumeProvisioned', volumeId, hostId: command.hostId, at }] : [];
    case 'FailCreation':
      return creating ? [{ type: 'VolumeCreationFailed', volumeId, cause: command.cause, at }] : [];
    default:
      return assertNever(command);
  }
};

/** Once, and of no volume that is going. */
const noteInitialized = ({ volumeId, at }: CommandOf<'NoteInitialized'>, state: VolumeState): Decision => {
  const isThere = state.status === 'available' || state.status === 'in-use' || state.status === 'recycled';
  return isThere && !state.initialized ? [{ type: 'VolumeInitialized', volumeId, at }] : [];
};

const modify = (command: CommandOf<'ModifyVolume'>, state: VolumeState): Decision => {
  const { volumeId, request, at } = command;
  const { status, configuration, modification, modificationTimes } = state;
  const isThere = status !== 'gone' && status !== 'absent' && status !== 'recycled';
  if (configuration === null || !isThere) return refuse('VolumeNotFound', { volumeId });
  if (status !== 'available' && status !== 'in-use') return refuse('VolumeNotModifiable', { volumeId });
  if (modification?.state === 'modifying' || modification?.state === 'optimizing')
    return refuse('ModificationUnfinished', { volumeId, state: modification.state.toUpperCase() });
  const possibleAt = nextModificationAt(modificationTimes, at);
  if (possibleAt !== null) return refuse('ModificationRateExceeded', { possibleAt });
  const target = modifiedConfiguration(configuration, request);
  if (changesSharing({ original: configuration, target }) && state.attachments.length > 0)
    return refuse('MultiAttachInUse', { volumeId });
  if (state.attachments.some(({ isRoot }) => isRoot) && (target.volumeType === 'st1' || target.volumeType === 'sc1'))
    return refuse('BootVolumeTypeUnsupported', { volumeType: target.volumeType });
  return [{ type: 'ModificationStarted', volumeId, original: configuration, target, at }];
};

/** Steps are taken at least once, in their order, in the Recycle Bin too, and not at all on a volume that is going. */
const continueModification = (
  command: CommandOf<'NoteModificationEffect' | 'CompleteModification' | 'FailModification'>,
  { status, modification }: VolumeState,
): Decision => {
  const { volumeId, at } = command;
  if (status !== 'available' && status !== 'in-use' && status !== 'recycled') return [];
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
  const { status } = state;
  if (status === 'absent' || status === 'gone' || status === 'recycled') return refuse('VolumeNotFound', { volumeId });
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
    case 'NoteInitialized':
      return noteInitialized(command, state);
    case 'NoteGrantRetired':
      return state.grantId === null ? [] : [{ type: 'VolumeGrantRetired', volumeId: command.volumeId, at: command.at }];
    case 'DeleteVolume':
    case 'WaiveRetention':
    case 'RestoreFromBin':
    case 'LeaveBin':
    case 'CompleteDeletion':
      return decideDeletion(command, state);
    case 'AttachVolume':
    case 'RecordAttachmentGrant':
    case 'CompleteAttachment':
    case 'FailAttachment':
    case 'SuspendAttachment':
    case 'ResumeAttachment':
    case 'NoteReattachmentFailure':
    case 'ChangeDeleteOnTermination':
    case 'DetachVolume':
    case 'ReleaseFromInstance':
    case 'CompleteDetachment':
      return decideAttachment(command, state);
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
