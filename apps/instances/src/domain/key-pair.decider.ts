import type { Instant } from '@holdfast/contracts';
import { assertNever, type Decider, DomainError } from '@holdfast/decider';
import type { KeyPairEvent, NewKeyPair } from './key-pair.events.ts';

export type KeyPairCommand =
  | ({ type: 'CreateKeyPair'; at: Instant } & NewKeyPair)
  | ({ type: 'ImportKeyPair'; at: Instant } & NewKeyPair)
  | { type: 'DeleteKeyPair'; keyPairId: string; at: Instant }
  | { type: 'TagKeyPair'; keyPairId: string; tags: Record<string, string>; at: Instant }
  | { type: 'UntagKeyPair'; keyPairId: string; keys: string[]; at: Instant };

export interface KeyPairState {
  status: 'absent' | 'there' | 'deleted';
  tags: Readonly<Record<string, string>>;
}

/** `KeyPairNameTaken`: another one of the account and Region has the name, which the stream of this one does not know. */
export type KeyPairErrorCode = 'KeyPairAlreadyExists' | 'KeyPairNotFound' | 'KeyPairNameTaken' | 'TooManyTags';

/** User tags on one resource. @see EC2, tag restrictions */
const MAX_TAGS = 50;

const refuse = (code: KeyPairErrorCode, { keyPairId }: KeyPairCommand): never => {
  throw new DomainError(code, { keyPairId });
};

const evolve = (state: KeyPairState, event: KeyPairEvent): KeyPairState => {
  switch (event.type) {
    case 'KeyPairCreated':
    case 'KeyPairImported':
      return { status: 'there', tags: event.tags };
    case 'KeyPairDeleted':
      return { ...state, status: 'deleted' };
    case 'KeyPairTagged':
      return { ...state, tags: { ...state.tags, ...event.tags } };
    case 'KeyPairUntagged': {
      const kept = Object.entries(state.tags).filter(([key]) => !event.keys.includes(key));
      return { ...state, tags: Object.fromEntries(kept) };
    }
    default:
      return assertNever(event);
  }
};

const begun = (command: NewKeyPair & { at: Instant }): NewKeyPair & { at: Instant } => {
  const { keyPairId, accountId, region, name, keyType, fingerprint, publicKey, tags, at } = command;
  return { keyPairId, accountId, region, name, keyType, fingerprint, publicKey, tags, at };
};

const decide = (command: KeyPairCommand, state: KeyPairState): readonly KeyPairEvent[] => {
  const { keyPairId, at } = command;
  if (command.type === 'CreateKeyPair' || command.type === 'ImportKeyPair') {
    if (state.status !== 'absent') return refuse('KeyPairAlreadyExists', command);
    return [{ type: command.type === 'CreateKeyPair' ? 'KeyPairCreated' : 'KeyPairImported', ...begun(command) }];
  }
  if (command.type === 'DeleteKeyPair')
    return state.status === 'there' ? [{ type: 'KeyPairDeleted', keyPairId, at }] : [];
  if (state.status !== 'there') return refuse('KeyPairNotFound', command);
  switch (command.type) {
    case 'TagKeyPair': {
      const { tags } = command;
      if (Object.keys({ ...state.tags, ...tags }).length > MAX_TAGS) return refuse('TooManyTags', command);
      const news = Object.entries(tags).some(([key, value]) => state.tags[key] !== value);
      return news ? [{ type: 'KeyPairTagged', keyPairId, tags, at }] : [];
    }
    case 'UntagKeyPair': {
      const keys = command.keys.filter((key) => key in state.tags);
      return keys.length === 0 ? [] : [{ type: 'KeyPairUntagged', keyPairId, keys, at }];
    }
    default:
      return assertNever(command);
  }
};

export const keyPairDecider: Decider<KeyPairCommand, KeyPairEvent, KeyPairState> = {
  initialState: { status: 'absent', tags: {} },
  evolve,
  decide,
};
