import { type AccountId, type Instant, instant, type Region } from '@holdfast/contracts';
import { assertNever, type Decider } from '@holdfast/decider';
import { refuse } from './errors.ts';
import { type KeyState, requireState } from './key-state.ts';
import type { KeyEvent, KeyManager, Tag } from './key.events.ts';
import { keyArnOf } from './names.ts';
import { checkTags } from './tags.ts';

export type KeyCommand =
  | {
      type: 'CreateKey';
      keyId: string;
      accountId: AccountId;
      region: Region;
      keyManager: KeyManager;
      description: string;
      tags: readonly Tag[];
      materialId: string;
      at: Instant;
    }
  | { type: 'UpdateKeyDescription'; keyId: string; description: string; at: Instant }
  | { type: 'EnableKey' | 'DisableKey' | 'CancelKeyDeletion'; keyId: string; at: Instant }
  | { type: 'ScheduleKeyDeletion'; keyId: string; pendingWindowInDays: number; at: Instant }
  /** Comes from the clock; does nothing before the key's deletion date. */
  | { type: 'CompleteKeyDeletion'; keyId: string; at: Instant }
  | { type: 'TagResource'; keyId: string; tags: readonly Tag[]; at: Instant }
  | { type: 'UntagResource'; keyId: string; tagKeys: readonly string[]; at: Instant };

/** `absent` also after deletion: a key's id is never used again, and nobody can tell the two apart. */
type State =
  | { readonly status: 'absent' }
  | { readonly status: 'deleted' }
  | {
      readonly status: KeyState;
      readonly arn: string;
      readonly deletionDate: Instant | null;
      readonly tags: ReadonlyMap<string, string>;
      readonly description: string;
    };

const DAY_MS = 86_400_000;

const evolve = (state: State, event: KeyEvent): State => {
  if (event.type === 'KeyCreated') {
    const tags = new Map(event.tags.map(({ TagKey, TagValue }) => [TagKey, TagValue]));
    const arn = keyArnOf(event, event.keyId);
    return { status: 'Enabled', arn, deletionDate: null, tags, description: event.description };
  }
  if (state.status === 'absent' || state.status === 'deleted') return state;
  switch (event.type) {
    case 'KeyDescriptionUpdated':
      return { ...state, description: event.description };
    case 'KeyEnabled':
      return { ...state, status: 'Enabled' };
    case 'KeyDisabled':
      return { ...state, status: 'Disabled' };
    case 'KeyDeletionScheduled':
      return { ...state, status: 'PendingDeletion', deletionDate: event.deletionDate };
    case 'KeyDeletionCancelled':
      return { ...state, status: 'Disabled', deletionDate: null };
    case 'KeyDeleted':
      return { status: 'deleted' };
    case 'KeyTagged':
      return {
        ...state,
        tags: new Map([...state.tags, ...event.tags.map((tag) => [tag.TagKey, tag.TagValue] as const)]),
      };
    case 'KeyUntagged':
      return { ...state, tags: new Map([...state.tags].filter(([key]) => !event.tagKeys.includes(key))) };
    default:
      return assertNever(event);
  }
};

const create = (command: Extract<KeyCommand, { type: 'CreateKey' }>, state: State): readonly KeyEvent[] => {
  const { keyId, accountId, region, keyManager, description, materialId, at } = command;
  if (state.status !== 'absent') return keyManager === 'AWS' ? [] : refuse('KeyAlreadyExists', { keyId });
  checkTags(command.tags);
  const fixed = { keySpec: 'SYMMETRIC_DEFAULT', keyUsage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS' } as const;
  const tags = command.tags.map(({ TagKey, TagValue }) => ({ TagKey, TagValue }));
  return [{ type: 'KeyCreated', keyId, accountId, region, keyManager, ...fixed, description, tags, materialId, at }];
};

const decide = (command: KeyCommand, state: State): readonly KeyEvent[] => {
  if (command.type === 'CreateKey') return create(command, state);
  const { keyId, at } = command;
  if (state.status === 'absent' || state.status === 'deleted') {
    return command.type === 'CompleteKeyDeletion' ? [] : refuse('KeyNotFound', { arn: keyId });
  }
  if (command.type === 'CompleteKeyDeletion') {
    const due = state.status === 'PendingDeletion' && state.deletionDate !== null && state.deletionDate <= at;
    return due ? [{ type: 'KeyDeleted', keyId, at }] : [];
  }
  requireState(command.type, state.status, state.arn);
  switch (command.type) {
    case 'UpdateKeyDescription': {
      const { description } = command;
      return description === state.description ? [] : [{ type: 'KeyDescriptionUpdated', keyId, description, at }];
    }
    case 'EnableKey':
      return state.status === 'Enabled' ? [] : [{ type: 'KeyEnabled', keyId, at }];
    case 'DisableKey':
      return state.status === 'Disabled' ? [] : [{ type: 'KeyDisabled', keyId, at }];
    case 'ScheduleKeyDeletion': {
      const { pendingWindowInDays } = command;
      const deletionDate = instant(new Date(Date.parse(at) + pendingWindowInDays * DAY_MS));
      return [{ type: 'KeyDeletionScheduled', keyId, deletionDate, pendingWindowInDays, at }];
    }
    case 'CancelKeyDeletion':
      return [{ type: 'KeyDeletionCancelled', keyId, at }];
    case 'TagResource': {
      checkTags(command.tags, state.tags);
      const tags = command.tags.filter(({ TagKey, TagValue }) => state.tags.get(TagKey) !== TagValue);
      return tags.length === 0 ? [] : [{ type: 'KeyTagged', keyId, tags, at }];
    }
    case 'UntagResource': {
      const tagKeys = command.tagKeys.filter((key) => state.tags.has(key));
      return tagKeys.length === 0 ? [] : [{ type: 'KeyUntagged', keyId, tagKeys, at }];
    }
    default:
      return assertNever(command);
  }
};

export const keyDecider: Decider<KeyCommand, KeyEvent, State> = { initialState: { status: 'absent' }, evolve, decide };
