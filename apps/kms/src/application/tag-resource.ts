import { z } from 'zod';
import { action } from './action.ts';
import { changeKey } from './key-changes.ts';
import { keyId, tag } from './shapes.ts';

export const tagResource = action(z.strictObject({ KeyId: keyId, Tags: z.array(tag) }), async (kms, input, context) => {
  await changeKey(kms, input.KeyId, context, { type: 'TagResource', tags: input.Tags });
  return {};
});
