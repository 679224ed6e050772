import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { keyPolicyText, POLICY_NAME } from '../domain/access.ts';
import { openKey } from './access.ts';
import { action } from './action.ts';
import { keyId } from './shapes.ts';

const shape = z.strictObject({ KeyId: keyId, PolicyName: z.string().min(1).max(128).default(POLICY_NAME) });

export const getKeyPolicy = action(shape, async (kms, input, context) => {
  const key = await openKey(kms, input.KeyId, context, { action: 'GetKeyPolicy', aliases: false });
  if (input.PolicyName !== POLICY_NAME) refuse('PolicyNotFound', {});
  return { Policy: keyPolicyText(key), PolicyName: POLICY_NAME };
});
