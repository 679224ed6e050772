import { z } from 'zod';
import { POLICY_NAME } from '../domain/access.ts';
import { openKey } from './access.ts';
import { action } from './action.ts';
import { page } from './paging.ts';
import { keyId, limit, marker } from './shapes.ts';

export const listKeyPolicies = action(
  z.strictObject({ KeyId: keyId, Limit: limit, Marker: marker }),
  async (kms, input, context) => {
    const key = await openKey(kms, input.KeyId, context, { action: 'ListKeyPolicies', aliases: false });
    const { items, paging } = await page(
      kms,
      context,
      ['ListKeyPolicies', key.keyId],
      input,
      { byDefault: 100, most: 1000 },
      (after) => Promise.resolve(after === '' ? [POLICY_NAME] : []),
      (name) => name,
    );
    return { PolicyNames: items, ...paging };
  },
);
