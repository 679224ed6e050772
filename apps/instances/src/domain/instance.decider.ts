import type { Instant, InstanceId } from '@holdfast/contracts';
import { assertNever, type Decider, DomainError } from '@holdfast/decider';
import type { InstanceEvent } from './instance.events.ts';

export type Launch = Omit<Extract<InstanceEvent, { type: 'InstanceLaunched' }>, 'type'>;

export type InstanceCommand =
  | ({ type: 'LaunchInstance' } & Launch)
  | { type: 'CompleteStart'; instanceId: InstanceId; at: Instant }
  | { type: 'TerminateInstance'; instanceId: InstanceId; at: Instant }
  | { type: 'CompleteTermination'; instanceId: InstanceId; at: Instant }
  | { type: 'TagInstance'; instanceId: InstanceId; tags: Record<string, string>; at: Instant }
  | { type: 'UntagInstance'; instanceId: InstanceId; keys: string[]; at: Instant };

export interface InstanceState {
  status: 'absent' | 'pending' | 'running' | 'shutting-down' | 'terminated';
  tags: Readonly<Record<string, string>>;
}

export type InstanceErrorCode = 'InstanceAlreadyExists' | 'InstanceNotFound' | 'TooManyTags';

/** User tags on one resource. @see EC2, tag restrictions */
const MAX_TAGS = 50;

const refuse = (code: InstanceErrorCode, { instanceId }: InstanceCommand): never => {
  throw new DomainError(code, { instanceId });
};

const evolve = (state: InstanceState, event: InstanceEvent): InstanceState => {
  switch (event.type) {
    case 'InstanceLaunched':
      return { status: 'pending', tags: event.tags };
    case 'InstanceStarted':
      return { ...state, status: 'running' };
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
  return {
    type: 'InstanceLaunched',
    ...{ instanceId, reservationId, launchIndex, accountId, region, imageId },
    ...{ instanceType, availabilityZone, privateIpAddress, hostId, tags, at },
  };
};

const decide = (command: InstanceCommand, state: InstanceState): readonly InstanceEvent[] => {
  const { instanceId, at } = command;
  if (command.type === 'LaunchInstance') {
    return state.status === 'absent' ? [launch(command)] : refuse('InstanceAlreadyExists', command);
  }
  if (state.status === 'absent') return refuse('InstanceNotFound', command);
  switch (command.type) {
    case 'CompleteStart':
      return state.status === 'pending' ? [{ type: 'InstanceStarted', instanceId, at }] : [];
    case 'TerminateInstance':
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
  initialState: { status: 'absent', tags: {} },
  evolve,
  decide,
};
