import type { Instant, KeyArn } from '@holdfast/contracts';
import { assertNever, type Decider } from '@holdfast/decider';
import type { EbsEncryptionEvent } from './ebs-encryption.events.ts';

export type EbsEncryptionCommand =
  | { type: 'EnableEncryptionByDefault'; at: Instant }
  | { type: 'DisableEncryptionByDefault'; at: Instant }
  | { type: 'ChangeDefaultKmsKey'; keyArn: KeyArn; at: Instant }
  | { type: 'ResetDefaultKmsKey'; at: Instant };

export interface EbsEncryptionSettings {
  encryptionByDefault: boolean;
  /** Null: never changed, or reset. */
  defaultKmsKeyArn: KeyArn | null;
}

const evolve = (state: EbsEncryptionSettings, event: EbsEncryptionEvent): EbsEncryptionSettings => {
  switch (event.type) {
    case 'EncryptionByDefaultEnabled':
      return { ...state, encryptionByDefault: true };
    case 'EncryptionByDefaultDisabled':
      return { ...state, encryptionByDefault: false };
    case 'DefaultKmsKeyChanged':
      return { ...state, defaultKmsKeyArn: event.keyArn };
    case 'DefaultKmsKeyReset':
      return { ...state, defaultKmsKeyArn: null };
    default:
      return assertNever(event);
  }
};

/** Every setting may be set at any time; setting it to what it is changes nothing. */
const decide = (command: EbsEncryptionCommand, state: EbsEncryptionSettings): readonly EbsEncryptionEvent[] => {
  const { at } = command;
  switch (command.type) {
    case 'EnableEncryptionByDefault':
      return state.encryptionByDefault ? [] : [{ type: 'EncryptionByDefaultEnabled', at }];
    case 'DisableEncryptionByDefault':
      return state.encryptionByDefault ? [{ type: 'EncryptionByDefaultDisabled', at }] : [];
    case 'ChangeDefaultKmsKey':
      return state.defaultKmsKeyArn === command.keyArn
        ? []
        : [{ type: 'DefaultKmsKeyChanged', keyArn: command.keyArn, at }];
    case 'ResetDefaultKmsKey':
      return state.defaultKmsKeyArn === null ? [] : [{ type: 'DefaultKmsKeyReset', at }];
    default:
      return assertNever(command);
  }
};

export const ebsEncryptionDecider: Decider<EbsEncryptionCommand, EbsEncryptionEvent, EbsEncryptionSettings> = {
  initialState: { encryptionByDefault: false, defaultKmsKeyArn: null },
  evolve,
  decide,
};
