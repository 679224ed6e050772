import { z } from 'zod';
import { openKey } from './access.ts';
import { action } from './action.ts';
import { page } from './paging.ts';
import { grantEntries, storedNames } from './principals.ts';
import { grantId, keyId, limit, marker, principalArn } from './shapes.ts';

const shape = z.strictObject({
  KeyId: keyId,
  GrantId: grantId.optional(),
  GranteePrincipal: principalArn.optional(),
  Limit: limit,
  Marker: marker,
});

export const listGrants = action(shape, async (kms, input, context) => {
  const key = await openKey(kms, input.KeyId, context, { action: 'ListGrants', aliases: false });
  const { GrantId: grantId, GranteePrincipal: grantee } = input;
  const grantees = grantee === undefined ? undefined : await storedNames(kms, grantee, context);
  const filter = { key, grantId, grantees };
  const { items, paging } = await page(
    kms,
    context,
    ['ListGrants', key.keyId, input.GrantId ?? '', input.GranteePrincipal ?? ''],
    input,
    { byDefault: 50, most: 100 },
    (after, size) => kms.grants.list(filter, Number(after), size),
    (grant) => String(grant.position),
  );
  return { Grants: await grantEntries(kms, items, context), ...paging };
});
