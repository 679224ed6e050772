import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { requireState } from '../domain/key-state.ts';
import { checkAliasName } from '../domain/names.ts';
import { openKey, requireAliasAccess } from './access.ts';
import { action, appendOptions } from './action.ts';
import { aliasName, keyId } from './shapes.ts';
import { aliasId } from './stream-ids.ts';

/** An alias names a key by its id or ARN. @throws DomainError AliasOfAlias */
export const checkTarget = (targetKeyId: string): void => {
  if (/^(?:arn:[^:]*:[^:]*:[^:]*:[^:]*:)?alias\//.test(targetKeyId)) refuse('AliasOfAlias', {});
};

export const createAlias = action(
  z.strictObject({ AliasName: aliasName, TargetKeyId: keyId }),
  async (kms, input, context) => {
    const { AliasName } = input;
    checkAliasName(AliasName);
    checkTarget(input.TargetKeyId);
    const key = await openKey(kms, input.TargetKeyId, context, { action: 'CreateAlias', aliases: false });
    await requireAliasAccess(kms, 'CreateAlias', AliasName, key, context);
    requireState('CreateAlias', key.state, key.arn);
    const present = await kms.aliases.ofKey(key);
    if (present.length >= kms.quotas.aliasesPerKey) refuse('AliasLimitExceeded', { arn: key.arn });
    const { accountId, region } = context;
    const alias = { aliasName: AliasName, accountId, region, targetKeyId: key.keyId, at: kms.clock.instant() };
    const command = { type: 'CreateAlias', ...alias } as const;
    await kms.aliasStreams.handle(aliasId(context, AliasName), command, appendOptions(kms, context));
    return {};
  },
);
