import type { AccountId, Instant, Region } from '@holdfast/contracts';
import { assertNever, type Decider } from '@holdfast/decider';
import type { AliasEvent } from './alias.events.ts';
import { refuse } from './errors.ts';
import { aliasArnOf } from './names.ts';

interface AliasName {
  aliasName: string;
  accountId: AccountId;
  region: Region;
}

export type AliasCommand =
  | ({ type: 'CreateAlias' | 'UpdateAlias'; targetKeyId: string; at: Instant } & AliasName)
  /** An AWS managed key's alias: whoever comes first chooses the key id, everyone after uses it. */
  | ({ type: 'ReserveAlias'; targetKeyId: string; at: Instant } & AliasName)
  /** `ofKeyId`: only while it points at that key, which is being deleted. */
  | ({ type: 'DeleteAlias'; ofKeyId?: string; at: Instant } & AliasName);

export interface AliasState {
  readonly targetKeyId: string | null;
}

const evolve = (_state: AliasState, event: AliasEvent): AliasState => {
  switch (event.type) {
    case 'AliasCreated':
    case 'AliasUpdated':
      return { targetKeyId: event.targetKeyId };
    case 'AliasDeleted':
      return { targetKeyId: null };
    default:
      return assertNever(event);
  }
};

const decide = (command: AliasCommand, state: AliasState): readonly AliasEvent[] => {
  const { aliasName, accountId, region, at } = command;
  const aliasArn = aliasArnOf(command, aliasName);
  switch (command.type) {
    case 'CreateAlias':
    case 'ReserveAlias': {
      const { targetKeyId } = command;
      if (state.targetKeyId !== null) {
        return command.type === 'ReserveAlias' ? [] : refuse('AliasAlreadyExists', { aliasArn });
      }
      return [{ type: 'AliasCreated', aliasName, accountId, region, targetKeyId, at }];
    }
    case 'UpdateAlias': {
      const { targetKeyId } = command;
      if (state.targetKeyId === null) return refuse('AliasNotFound', { aliasArn });
      return [{ type: 'AliasUpdated', aliasName, accountId, region, targetKeyId, at }];
    }
    case 'DeleteAlias': {
      if (command.ofKeyId !== undefined && state.targetKeyId !== command.ofKeyId) return [];
      if (state.targetKeyId === null) return refuse('AliasNotFound', { aliasArn });
      return [{ type: 'AliasDeleted', aliasName, accountId, region, at }];
    }
    default:
      return assertNever(command);
  }
};

export const aliasDecider: Decider<AliasCommand, AliasEvent, AliasState> = {
  initialState: { targetKeyId: null },
  evolve,
  decide,
};
