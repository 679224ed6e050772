import { z } from 'zod';
import { action } from './action.ts';
import { changeKey } from './key-changes.ts';
import { keyId } from './shapes.ts';

export const disableKeyRotation = action(z.strictObject({ KeyId: keyId }), async (kms, input, context) => {
  await changeKey(kms, input.KeyId, context, { type: 'DisableKeyRotation' });
  return {};
});
