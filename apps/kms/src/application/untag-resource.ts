import { z } from 'zod';
import { action } from './action.ts';
import { changeKey } from './key-changes.ts';
import { keyId } from './shapes.ts';

const shape = z.strictObject({ KeyId: keyId, TagKeys: z.array(z.string().min(1).max(128)) });

export const untagResource = action(shape, async (kms, input, context) => {
  await changeKey(
    kms,
    input.KeyId,
    context,
    { type: 'UntagResource', tagKeys: input.TagKeys },
    { conditions: { 'aws:TagKeys': input.TagKeys } },
  );
  return {};
});
