import type { Instant, KeyArn } from '@holdfast/contracts';
import { assertNever, type Decider } from '@holdfast/decider';
import { refuse } from './errors.ts';
import type { GrantEvent, GrantTerms } from './grant.events.ts';

export type GrantCommand =
  | { type: 'CreateGrant'; grantId: string; parentGrantId: string | null; terms: GrantTerms; at: Instant }
  | { type: 'RetireGrant'; grantId: string; keyArn: KeyArn; retiredBy: string; at: Instant }
  | { type: 'RevokeGrant'; grantId: string; keyArn: KeyArn; at: Instant };

type State =
  | { readonly status: 'absent' | 'ended' }
  | {
      readonly status: 'active';
      readonly keyId: string;
      /** A multi-Region key has one id and in each Region grants of its own, which only the ARN tells apart. */
      readonly keyArn: KeyArn;
    };

const evolve = (_state: State, event: GrantEvent): State => {
  switch (event.type) {
    case 'GrantCreated':
      return { status: 'active', keyId: event.keyId, keyArn: event.keyArn };
    case 'GrantRetired':
    case 'GrantRevoked':
      return { status: 'ended' };
    default:
      return assertNever(event);
  }
};

const decide = (command: GrantCommand, state: State): readonly GrantEvent[] => {
  const { grantId, at } = command;
  switch (command.type) {
    case 'CreateGrant': {
      if (state.status !== 'absent') return [];
      const { keyId, keyArn, issuingAccount, name, granteePrincipal, retiringPrincipal } = command.terms;
      const { operations, constraints, granteeId, retiringId } = command.terms;
      return [
        {
          type: 'GrantCreated',
          grantId,
          parentGrantId: command.parentGrantId,
          keyId,
          keyArn,
          issuingAccount,
          name,
          granteePrincipal,
          retiringPrincipal,
          ...(granteeId === undefined ? {} : { granteeId }),
          ...(retiringId === undefined ? {} : { retiringId }),
          operations,
          constraints,
          at,
        },
      ];
    }
    case 'RetireGrant':
    case 'RevokeGrant': {
      if (state.status !== 'active' || state.keyArn !== command.keyArn) return refuse('GrantNotFound', { grantId });
      const { keyId } = state;
      return command.type === 'RevokeGrant'
        ? [{ type: 'GrantRevoked', grantId, keyId, at }]
        : [{ type: 'GrantRetired', grantId, keyId, retiredBy: command.retiredBy, at }];
    }
    default:
      return assertNever(command);
  }
};

export const grantDecider: Decider<GrantCommand, GrantEvent, State> = {
  initialState: { status: 'absent' },
  evolve,
  decide,
};
