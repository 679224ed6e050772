import { DomainError } from '@holdfast/decider';
import { z } from 'zod';
import { resolveKey } from './access.ts';
import { action } from './action.ts';

const shape = z.strictObject({ keyArn: z.string().min(1).max(2048) });

/** Internal: who manages a key, which other services' rules depend on. It is no use of the key, so no policy is asked. */
export const getKeyManager = action(shape, async (kms, { keyArn }, context) => {
  try {
    const { keyManager } = await resolveKey(kms, keyArn, context, { action: 'DescribeKey', aliases: false });
    return { keyManager };
  } catch (error) {
    if (error instanceof DomainError) return null;
    throw error;
  }
});
