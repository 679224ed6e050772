import { z } from 'zod';
import { action } from './action.ts';
import { changeKey } from './key-changes.ts';
import { keyId } from './shapes.ts';

const shape = z.strictObject({ KeyId: keyId, Description: z.string().max(8192) });

export const updateKeyDescription = action(shape, async (kms, input, context) => {
  await changeKey(kms, input.KeyId, context, { type: 'UpdateKeyDescription', description: input.Description });
  return {};
});
