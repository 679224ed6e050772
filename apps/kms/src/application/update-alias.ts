import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { requireState } from '../domain/key-state.ts';
import { aliasArnOf, checkAliasName } from '../domain/names.ts';
import { openKey, requireAccess } from './access.ts';
import { action, appendOptions } from './action.ts';
import { checkTarget } from './create-alias.ts';
import { aliasName, keyId } from './shapes.ts';
import { aliasId } from './stream-ids.ts';

export const updateAlias = action(
  z.strictObject({ AliasName: aliasName, TargetKeyId: keyId }),
  async (kms, input, context) => {
    const { AliasName } = input;
    checkAliasName(AliasName);
    checkTarget(input.TargetKeyId);
    const key = await openKey(kms, input.TargetKeyId, context, { action: 'UpdateAlias', aliases: false });
    const former = await kms.keys.findByAlias(context, AliasName);
    if (former === null) return refuse('AliasNotFound', { aliasArn: aliasArnOf(context, AliasName) });
    await requireAccess(kms, 'UpdateAlias', former, context);
    requireState('UpdateAlias', key.state, key.arn);
    const { accountId, region } = context;
    const alias = { aliasName: AliasName, accountId, region, targetKeyId: key.keyId, at: kms.clock.instant() };
    const command = { type: 'UpdateAlias', ...alias } as const;
    await kms.aliasStreams.handle(aliasId(context, AliasName), command, appendOptions(kms, context));
    return {};
  },
);
