import { z } from 'zod';
import { openKeyFor, requireAccess } from './access.ts';
import { action } from './action.ts';
import { applyChange } from './key-changes.ts';
import { regionOf } from './replicate-key.ts';
import { keyId, regionName } from './shapes.ts';

const shape = z.strictObject({ KeyId: keyId, PrimaryRegion: regionName });

/** Asked on the primary; needs permission on the replica too. */
export const updatePrimaryRegion = action(shape, async (kms, input, context) => {
  const primaryRegion = regionOf(input.PrimaryRegion);
  const details = { conditions: { 'kms:PrimaryRegion': primaryRegion } };
  const key = await openKeyFor(kms, 'UpdatePrimaryRegion', input.KeyId, context, details);
  const replica = await kms.keys.find(key.keyId, primaryRegion);
  if (replica !== null) {
    await requireAccess(kms, 'UpdatePrimaryRegion', replica, { ...context, region: primaryRegion }, details);
  }
  await applyChange(kms, key, context, { type: 'UpdatePrimaryRegion', primaryRegion });
  return {};
});
