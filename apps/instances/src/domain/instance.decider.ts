import type { ImageId, Instant, InstanceId, VolumeId } from '@holdfast/contracts';
import { assertNever, type Decider, DomainError } from '@holdfast/decider';
import { type BlockDevice, failureReason } from './block-devices.ts';
import type { InstanceEvent } from './instance.events.ts';
import type { ProfileAssociation } from './instance-profile.ts';
import { type InstanceSettings, needsStop } from './instance-settings.ts';

export type Launch = Omit<Extract<InstanceEvent, { type: 'InstanceLaunched' }>, 'type'>;

export type InstanceCommand =
  | ({ type: 'LaunchInstance' } & Launch)
  | { type: 'RecordLaunchVolume'; instanceId: InstanceId; deviceName: string; volumeId: VolumeId; at: Instant }
  /** Of a launch: it ends. Of a start: it is stopped again. */
  | { type: 'FailStart'; instanceId: InstanceId; cause: string; at: Instant }
  | { type: 'StopInstance'; instanceId: InstanceId; at: Instant }
  | { type: 'CompleteStop'; instanceId: InstanceId; at: Instant }
  | { type: 'StartInstance'; instanceId: InstanceId; at: Instant }
  | { type: 'ProtectFromTermination'; instanceId: InstanceId; disableApiTermination: boolean; at: Instant }
  | { type: 'ChangeSettings'; instanceId: InstanceId; settings: InstanceSettings; at: Instant }
  | { type: 'ChangeType'; instanceId: InstanceId; instanceType: string; at: Instant }
  /** `replaces`: the association that is to end with it; null: there is to be none. */
  | {
      type: 'AssociateProfile';
      instanceId: InstanceId;
      instanceProfile: ProfileAssociation;
      replaces: string | null;
      at: Instant;
    }
  | { type: 'DisassociateProfile'; instanceId: InstanceId; associationId: string; at: Instant }
  | { type: 'CompleteStart'; instanceId: InstanceId; at: Instant }
  | { type: 'TerminateInstance'; instanceId: InstanceId; at: Instant }
  | { type: 'CompleteTermination'; instanceId: InstanceId; at: Instant }
  | { type: 'TagInstance'; instanceId: InstanceId; tags: Record<string, string>; at: Instant }
  | { type: 'UntagInstance'; instanceId: InstanceId; keys: string[]; at: Instant };

export interface InstanceState {
  status: 'absent' | 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';
  /** Empty: there is no instance. */
  imageId: ImageId;
  rootDeviceName: string | null;
  availabilityZone: string;
  hostId: string;
  blockDevices: readonly BlockDevice[];
  volumeTags: Readonly<Record<string, string>>;
  /** The volumes made for its launch, by device. */
  launchVolumes: Readonly<Record<string, VolumeId>>;
  /** Whether it ever ran: what its launch made is its own then. */
  hasRun: boolean;
  disableApiTermination: boolean;
  instanceType: string;
  settings: InstanceSettings;
  /** Of its instance profile. */
  associationId: string | null;
  tags: Readonly<Record<string, string>>;
}

export type InstanceErrorCode =
  | 'InstanceAlreadyExists'
  | 'InstanceEnding'
  | 'InstanceNotFound'
  | 'InstanceNotStartable'
  | 'InstanceNotStoppable'
  | 'InstanceNotStopped'
  | 'InstanceWithoutRootVolume'
  | 'ProfileAlreadyAssociated'
  | 'ProfileNotAssociated'
  | 'StopProtected'
  | 'TerminationProtected'
  | 'TooManyTags';

/** User tags on one resource. @see EC2, tag restrictions */
const MAX_TAGS = 50;

const refuse = (code: InstanceErrorCode, { instanceId }: InstanceCommand): never => {
  throw new DomainError(code, { instanceId });
};

const evolve = (state: InstanceState, event: InstanceEvent): InstanceState => {
  switch (event.type) {
    case 'InstanceLaunched':
      return {
        ...state,
        status: 'pending',
        imageId: event.imageId,
        rootDeviceName: event.rootDeviceName ?? null,
        availabilityZone: event.availabilityZone,
        hostId: event.hostId,
        blockDevices: event.blockDevices ?? [],
        volumeTags: event.volumeTags ?? {},
        disableApiTermination: event.disableApiTermination ?? false,
        instanceType: event.instanceType,
        settings: event.settings ?? {},
        associationId: event.instanceProfile?.associationId ?? null,
        tags: event.tags,
      };
    case 'LaunchVolumeCreated':
      return { ...state, launchVolumes: { ...state.launchVolumes, [event.deviceName]: event.volumeId } };
    case 'InstanceLaunchFailed':
      return { ...state, status: 'shutting-down' };
    case 'InstanceStarted':
      return { ...state, status: 'running', hasRun: true };
    case 'InstanceStopStarted':
      return { ...state, status: 'stopping' };
    case 'InstanceStopped':
    case 'InstanceStartFailed':
      return { ...state, status: 'stopped' };
    case 'InstanceStartRequested':
      return { ...state, status: 'pending' };
    case 'TerminationProtectionChanged':
      return { ...state, disableApiTermination: event.disableApiTermination };
    case 'InstanceSettingsChanged':
      return { ...state, settings: { ...state.settings, ...event.settings } };
    case 'InstanceTypeChanged':
      return { ...state, instanceType: event.instanceType };
    case 'InstanceProfileAssociated':
      return { ...state, associationId: event.instanceProfile.associationId };
    case 'InstanceProfileDisassociated':
      return { ...state, associationId: null };
    case 'InstanceTerminationStarted':
      return { ...state, status: 'shutting-down' };
    case 'InstanceTerminated':
      return { ...state, status: 'terminated' };
    case 'InstanceTagged':
      return { ...state, tags: { ...state.tags, ...event.tags } };
    case 'InstanceUntagged':
      return {
        ...state,
        tags: Object.fromEntries(Object.entries(state.tags).filter(([key]) => !event.keys.includes(key))),
      };
    default:
      return assertNever(event);
  }
};

const launch = (command: Extract<InstanceCommand, { type: 'LaunchInstance' }>): InstanceEvent => {
  const { instanceId, reservationId, launchIndex, accountId, region, imageId } = command;
  const { instanceType, availabilityZone, privateIpAddress, hostId, tags, at } = command;
  const { rootDeviceName, blockDevices, volumeTags, disableApiTermination, settings, architecture } = command;
  const { keyName, instanceProfile, clientToken } = command;
  return {
    type: 'InstanceLaunched',
    ...{ instanceId, reservationId, launchIndex, accountId, region, imageId },
    ...{ instanceType, availabilityZone, privateIpAddress, hostId, tags, at },
    ...{ rootDeviceName, blockDevices, volumeTags, disableApiTermination, settings, architecture },
    ...{ keyName, instanceProfile, clientToken },
  };
};

/** What is as it was is no change. */
const changed = (
  { instanceId, settings, at }: Extract<InstanceCommand, { type: 'ChangeSettings' }>,
  before: InstanceSettings,
): readonly InstanceEvent[] => {
  const after = { ...before, ...settings };
  if (JSON.stringify(after) === JSON.stringify(before)) return [];
  return [{ type: 'InstanceSettingsChanged', instanceId, settings, at }];
};

type ProfileCommand = Extract<InstanceCommand, { type: 'AssociateProfile' | 'DisassociateProfile' }>;

/** Whoever changes a profile says what it was, so that of two who change it at once one is told. */
const changedProfile = (command: ProfileCommand, state: InstanceState): readonly InstanceEvent[] => {
  const { instanceId, at } = command;
  if (ending(state)) return refuse('InstanceEnding', command);
  if (command.type === 'DisassociateProfile') {
    const { associationId } = command;
    if (state.associationId !== associationId) return refuse('ProfileNotAssociated', command);
    return [{ type: 'InstanceProfileDisassociated', instanceId, associationId, at }];
  }
  const { instanceProfile, replaces } = command;
  if (state.associationId !== replaces)
    return refuse(replaces === null ? 'ProfileAlreadyAssociated' : 'ProfileNotAssociated', command);
  return [{ type: 'InstanceProfileAssociated', instanceId, instanceProfile, at }];
};

const decide = (command: InstanceCommand, state: InstanceState): readonly InstanceEvent[] => {
  const { instanceId, at } = command;
  if (command.type === 'LaunchInstance') {
    return state.status === 'absent' ? [launch(command)] : refuse('InstanceAlreadyExists', command);
  }
  if (state.status === 'absent') return refuse('InstanceNotFound', command);
  switch (command.type) {
    case 'RecordLaunchVolume': {
      const { deviceName, volumeId } = command;
      if (deviceName in state.launchVolumes) return [];
      return [{ type: 'LaunchVolumeCreated', instanceId, deviceName, volumeId, at }];
    }
    case 'FailStart': {
      if (state.status !== 'pending') return [];
      const { cause } = command;
      const type = state.hasRun ? 'InstanceStartFailed' : 'InstanceLaunchFailed';
      return [{ type, instanceId, reason: failureReason(cause), cause, at }];
    }
    case 'StopInstance':
      if (state.status === 'stopped' || state.status === 'stopping') return [];
      if (state.status !== 'running') return refuse('InstanceNotStoppable', command);
      if (state.rootDeviceName === null) return refuse('InstanceWithoutRootVolume', command);
      if (state.settings.disableApiStop === true) return refuse('StopProtected', command);
      return [{ type: 'InstanceStopStarted', instanceId, at }];
    case 'CompleteStop':
      return state.status === 'stopping' ? [{ type: 'InstanceStopped', instanceId, at }] : [];
    case 'StartInstance':
      if (state.status === 'running' || state.status === 'pending') return [];
      if (state.status !== 'stopped') return refuse('InstanceNotStartable', command);
      return [{ type: 'InstanceStartRequested', instanceId, at }];
    case 'ProtectFromTermination': {
      const { disableApiTermination } = command;
      if (state.disableApiTermination === disableApiTermination) return [];
      return [{ type: 'TerminationProtectionChanged', instanceId, disableApiTermination, at }];
    }
    case 'ChangeSettings':
      if (needsStop(command.settings) && state.status !== 'stopped') return refuse('InstanceNotStopped', command);
      return changed(command, state.settings);
    case 'ChangeType': {
      const { instanceType } = command;
      if (state.status !== 'stopped') return refuse('InstanceNotStopped', command);
      return state.instanceType === instanceType ? [] : [{ type: 'InstanceTypeChanged', instanceId, instanceType, at }];
    }
    case 'AssociateProfile':
    case 'DisassociateProfile':
      return changedProfile(command, state);
    case 'CompleteStart':
      return state.status === 'pending' ? [{ type: 'InstanceStarted', instanceId, at }] : [];
    case 'TerminateInstance':
      if (state.disableApiTermination && !ending(state)) return refuse('TerminationProtected', command);
      return ending(state) ? [] : [{ type: 'InstanceTerminationStarted', instanceId, at }];
    case 'CompleteTermination':
      return state.status === 'shutting-down' ? [{ type: 'InstanceTerminated', instanceId, at }] : [];
    case 'TagInstance': {
      if (Object.keys({ ...state.tags, ...command.tags }).length > MAX_TAGS) return refuse('TooManyTags', command);
      const { tags } = command;
      const news = Object.entries(tags).some(([key, value]) => state.tags[key] !== value);
      return news ? [{ type: 'InstanceTagged', instanceId, tags, at }] : [];
    }
    case 'UntagInstance': {
      const keys = command.keys.filter((key) => key in state.tags);
      return keys.length === 0 ? [] : [{ type: 'InstanceUntagged', instanceId, keys, at }];
    }
    default:
      return assertNever(command);
  }
};

const ending = ({ status }: InstanceState) => status === 'shutting-down' || status === 'terminated';

export const instanceDecider: Decider<InstanceCommand, InstanceEvent, InstanceState> = {
  initialState: {
    status: 'absent',
    imageId: '' as ImageId,
    rootDeviceName: null,
    availabilityZone: '',
    hostId: '',
    blockDevices: [],
    volumeTags: {},
    launchVolumes: {},
    hasRun: false,
    disableApiTermination: false,
    instanceType: '',
    settings: {},
    associationId: null,
    tags: {},
  },
  evolve,
  decide,
};
