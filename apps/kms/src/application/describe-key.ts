import { z } from 'zod';
import { checkGrantTokens, openKey } from './access.ts';
import { action } from './action.ts';
import { describeMetadata } from './key-metadata.ts';
import { grantTokens, keyId } from './shapes.ts';

export const describeKey = action(
  z.strictObject({ KeyId: keyId, GrantTokens: grantTokens }),
  async (kms, input, context) => {
    checkGrantTokens(kms, input.GrantTokens);
    const key = await openKey(kms, input.KeyId, context, { action: 'DescribeKey', aliases: true });
    return { KeyMetadata: await describeMetadata(kms, key) };
  },
);
