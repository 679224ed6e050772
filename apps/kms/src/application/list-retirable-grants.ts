import { z } from 'zod';
import { denial } from '../domain/authorize.ts';
import { refuse } from '../domain/errors.ts';
import { action } from './action.ts';
import { grantEntry } from './grant-entry.ts';
import { page } from './paging.ts';
import { limit, marker, principalArn } from './shapes.ts';

const shape = z.strictObject({ RetiringPrincipal: principalArn, Limit: limit, Marker: marker });

/** Of one's own account's principals, on keys of any account in the Region. */
export const listRetirableGrants = action(shape, async (kms, input, context) => {
  const { principal, region } = context;
  const { RetiringPrincipal: retiringPrincipal } = input;
  const isOwn = retiringPrincipal.includes(`::${principal.accountId}:`);
  if (principal.type !== 'Root' || !isOwn) {
    refuse('AccessDenied', { message: denial({ action: 'ListRetirableGrants', principal, key: null }) });
  }
  const { items, paging } = await page(
    kms,
    context,
    ['ListRetirableGrants', retiringPrincipal],
    input,
    { byDefault: 50, most: 100 },
    (after, size) => kms.grants.list({ retiringPrincipal, region }, Number(after), size),
    (grant) => String(grant.position),
  );
  return { Grants: items.map(grantEntry), ...paging };
});
