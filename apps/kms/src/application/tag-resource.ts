import { z } from 'zod';
import { action } from './action.ts';
import { tagConditions } from './create-key.ts';
import { changeKey } from './key-changes.ts';
import { keyId, tagList } from './shapes.ts';

export const tagResource = action(z.strictObject({ KeyId: keyId, Tags: tagList }), async (kms, input, context) => {
  await changeKey(
    kms,
    input.KeyId,
    context,
    { type: 'TagResource', tags: input.Tags },
    { conditions: tagConditions(input.Tags) },
  );
  return {};
});
