import { z } from 'zod';
import { openKey } from './access.ts';
import { action } from './action.ts';
import { page } from './paging.ts';
import { keyId, limit, marker } from './shapes.ts';

const byKey = (a: { TagKey: string }, b: { TagKey: string }) => (a.TagKey < b.TagKey ? -1 : 1);

export const listResourceTags = action(
  z.strictObject({ KeyId: keyId, Limit: limit, Marker: marker }),
  async (kms, input, context) => {
    const key = await openKey(kms, input.KeyId, context, { action: 'ListResourceTags', aliases: false });
    const sorted = [...key.tags].sort(byKey);
    const { items, paging } = await page(
      kms,
      context,
      ['ListResourceTags', key.keyId],
      input,
      { byDefault: 50, most: 50 },
      (after, size) => Promise.resolve(sorted.filter(({ TagKey }) => after === '' || TagKey > after).slice(0, size)),
      (tag) => tag.TagKey,
    );
    return { Tags: items, ...paging };
  },
);
