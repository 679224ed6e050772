import type { iam as api } from '@holdfast/aws-protocol';
import { refuse } from '../domain/errors.ts';
import type { ActionsOf } from './action.ts';
import { change } from './support.ts';

export const accountAliases: ActionsOf<
  api.Operations,
  'CreateAccountAlias' | 'DeleteAccountAlias' | 'ListAccountAliases'
> = {
  /** An account has one: another takes its place. No two accounts have the same. */
  CreateAccountAlias: async (iam, { AccountAlias: alias }, context) => {
    const owner = await iam.tables.accountOfAlias(alias);
    if (owner !== null && owner !== context.accountId) return refuse('AccountAliasTaken', { alias });
    return change(iam, context, { type: 'CreateAccountAlias', alias });
  },
  DeleteAccountAlias: (iam, { AccountAlias: alias }, context) =>
    change(iam, context, { type: 'DeleteAccountAlias', alias }),
  ListAccountAliases: async (iam, _input, { accountId }) => {
    const alias = await iam.tables.accountAlias(accountId);
    return { AccountAliases: alias === null ? [] : [alias], IsTruncated: false };
  },
};
