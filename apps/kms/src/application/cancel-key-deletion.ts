import { z } from 'zod';
import { action } from './action.ts';
import { changeKey } from './key-changes.ts';
import { keyId } from './shapes.ts';

export const cancelKeyDeletion = action(z.strictObject({ KeyId: keyId }), async (kms, input, context) => ({
  KeyId: (await changeKey(kms, input.KeyId, context, { type: 'CancelKeyDeletion' })).key.arn,
}));
