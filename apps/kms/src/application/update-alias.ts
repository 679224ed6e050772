import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { KEY_SPECS } from '../domain/key-specs.ts';
import { requireState } from '../domain/key-state.ts';
import { aliasArnOf, checkAliasName } from '../domain/names.ts';
import { openKey, requireAccess, requireAliasAccess } from './access.ts';
import { action, appendOptions } from './action.ts';
import { checkTarget } from './create-alias.ts';
import type { KeyRecord } from './ports.ts';
import { aliasName, keyId } from './shapes.ts';
import { aliasId } from './stream-ids.ts';

/** An alias keeps to one type of key and one usage, so that what uses it goes on working. @throws DomainError Invalid */
const requireSameKind = (alias: string, former: KeyRecord, key: KeyRecord): void => {
  const same = former.keyUsage === key.keyUsage && KEY_SPECS[former.keySpec].kind === KEY_SPECS[key.keySpec].kind;
  if (same) return;
  const usages = `from a CMK with key usage ${former.keyUsage} to a CMK with key usage ${key.keyUsage}`;
  refuse('Invalid', { message: `Alias ${alias} cannot be changed ${usages}` });
};

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
    await requireAliasAccess(kms, 'UpdateAlias', AliasName, key, context);
    requireSameKind(AliasName, former, key);
    requireState('UpdateAlias', key.state, key.arn);
    const isMore = former.keyId !== key.keyId && (await kms.aliases.ofKey(key)).length >= kms.quotas.aliasesPerKey;
    if (isMore) refuse('AliasLimitExceeded', { arn: key.arn });
    const { accountId, region } = context;
    const alias = { aliasName: AliasName, accountId, region, targetKeyId: key.keyId, at: kms.clock.instant() };
    const command = { type: 'UpdateAlias', ...alias } as const;
    await kms.aliasStreams.handle(aliasId(context, AliasName), command, appendOptions(kms, context));
    return {};
  },
);
