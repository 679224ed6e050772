import type { Decider } from '@holdfast/decider';
import {
  decideAccountAliases,
  decideGroups,
  decideInstanceProfiles,
  decideRoles,
  decideUsers,
} from './decide-entities.ts';
import { decideAccessKeys, decideEntityPolicies, decideManagedPolicies, decideTags } from './decide-policies.ts';
import type { Decisions } from './decide-support.ts';
import type { IamCommand } from './iam.commands.ts';
import type { IamEvent } from './iam.events.ts';
import { evolve, type IamState, initialState } from './iam.state.ts';

const decisions: Decisions<IamCommand['type']> = {
  ...decideUsers,
  ...decideGroups,
  ...decideRoles,
  ...decideInstanceProfiles,
  ...decideManagedPolicies,
  ...decideEntityPolicies,
  ...decideTags,
  ...decideAccessKeys,
  ...decideAccountAliases,
};

/**
 * All of an account's IAM is one consistency rule: names are unique in it, quotas count over it, and nothing is deleted
 * that another part still refers to.
 */
export const iamDecider: Decider<IamCommand, IamEvent, IamState> = {
  initialState,
  evolve,
  decide: (command, state) =>
    (decisions[command.type] as (command: IamCommand, state: IamState) => readonly IamEvent[])(command, state),
};
