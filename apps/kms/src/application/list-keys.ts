import { z } from 'zod';
import { requireAccess } from './access.ts';
import { action } from './action.ts';
import { page } from './paging.ts';
import { limit, marker } from './shapes.ts';

export const listKeys = action(z.strictObject({ Limit: limit, Marker: marker }), async (kms, input, context) => {
  await requireAccess(kms, 'ListKeys', null, context);
  const { items, paging } = await page(
    kms,
    context,
    ['ListKeys'],
    input,
    { byDefault: 100, most: 1000 },
    (after, size) => kms.keys.list(context, Number(after), size),
    (key) => String(key.position),
  );
  return { Keys: items.map(({ keyId, arn }) => ({ KeyId: keyId, KeyArn: arn })), ...paging };
});
