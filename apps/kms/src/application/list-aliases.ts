import { z } from 'zod';
import { aliasArnOf } from '../domain/names.ts';
import { requireAccess, resolveKey } from './access.ts';
import { action } from './action.ts';
import { page } from './paging.ts';
import type { AliasRecord } from './ports.ts';
import { keyId, limit, marker } from './shapes.ts';

const entry = (alias: AliasRecord): Record<string, unknown> => ({
  AliasName: alias.aliasName,
  AliasArn: aliasArnOf(alias, alias.aliasName),
  ...(alias.targetKeyId === null ? {} : { TargetKeyId: alias.targetKeyId }),
  ...(alias.createdAt === null ? {} : { CreationDate: alias.createdAt, LastUpdatedDate: alias.updatedAt }),
});

const shape = z.strictObject({ KeyId: keyId.optional(), Limit: limit, Marker: marker });

export const listAliases = action(shape, async (kms, input, context) => {
  const lookup = { action: 'ListAliases', aliases: false };
  const key = input.KeyId === undefined ? null : await resolveKey(kms, input.KeyId, context, lookup);
  await requireAccess(kms, 'ListAliases', key, context);
  const { items, paging } = await page(
    kms,
    context,
    ['ListAliases', key?.keyId ?? ''],
    input,
    { byDefault: 50, most: 100 },
    (after, size) => kms.aliases.list(context, key, after, size),
    (alias) => alias.aliasName,
  );
  return { Aliases: items.map(entry), ...paging };
});
