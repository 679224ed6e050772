import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { aliasArnOf, checkAliasName } from '../domain/names.ts';
import { requireAccess, requireAliasAccess } from './access.ts';
import { action, appendOptions } from './action.ts';
import { aliasName } from './shapes.ts';
import { aliasId } from './stream-ids.ts';

export const deleteAlias = action(z.strictObject({ AliasName: aliasName }), async (kms, input, context) => {
  const { AliasName } = input;
  checkAliasName(AliasName);
  const key = await kms.keys.findByAlias(context, AliasName);
  if (key === null) return refuse('AliasNotFound', { aliasArn: aliasArnOf(context, AliasName) });
  await requireAccess(kms, 'DeleteAlias', key, context);
  await requireAliasAccess(kms, 'DeleteAlias', AliasName, key, context);
  const { accountId, region } = context;
  const command = { type: 'DeleteAlias', aliasName: AliasName, accountId, region, at: kms.clock.instant() } as const;
  await kms.aliasStreams.handle(aliasId(context, AliasName), command, appendOptions(kms, context));
  return {};
});
