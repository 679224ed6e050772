import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { checkPrincipal } from '../domain/grant-terms.ts';
import { requireAccess } from './access.ts';
import { action } from './action.ts';
import { page } from './paging.ts';
import { grantEntries, storedNames } from './principals.ts';
import { limit, marker, principalArn } from './shapes.ts';

const shape = z.strictObject({ RetiringPrincipal: principalArn, Limit: limit, Marker: marker });

/** Of one's own account's principals, on keys of any account in the Region. */
export const listRetirableGrants = action(shape, async (kms, input, context) => {
  const { principal, region } = context;
  const { RetiringPrincipal: retiringPrincipal } = input;
  checkPrincipal(retiringPrincipal, false);
  await requireAccess(kms, 'ListRetirableGrants', null, context);
  if (!retiringPrincipal.includes(`::${principal.accountId}:`)) {
    const sentence = `User: ${principal.arn} is not authorized to perform: kms:ListRetirableGrants on resource: *`;
    refuse('AccessDenied', {
      message: `${sentence} because no resource-based policy allows the kms:ListRetirableGrants action`,
    });
  }
  const retiringPrincipals = await storedNames(kms, retiringPrincipal, context);
  const { items, paging } = await page(
    kms,
    context,
    ['ListRetirableGrants', retiringPrincipal],
    input,
    { byDefault: 50, most: 100 },
    (after, size) => kms.grants.list({ retiringPrincipals, region }, Number(after), size),
    (grant) => String(grant.position),
  );
  return { Grants: await grantEntries(kms, items, context), ...paging };
});
