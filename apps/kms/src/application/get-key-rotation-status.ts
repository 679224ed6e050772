import { z } from 'zod';
import { openKey } from './access.ts';
import { action } from './action.ts';
import { keyId } from './shapes.ts';

/** Nothing rotates here yet, and EnableKeyRotation is refused; so this is the truth. */
export const getKeyRotationStatus = action(z.strictObject({ KeyId: keyId }), async (kms, input, context) => {
  const key = await openKey(kms, input.KeyId, context, { action: 'GetKeyRotationStatus', aliases: false });
  return { KeyId: key.arn, KeyRotationEnabled: false };
});
