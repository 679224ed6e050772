import { renamePrincipals } from '@holdfast/iam';
import { z } from 'zod';
import { refuse } from '../domain/errors.ts';
import { keyPolicyText, POLICY_NAME } from '../domain/access.ts';
import { openKey } from './access.ts';
import { action } from './action.ts';
import { goneIds } from './principals.ts';
import { keyId } from './shapes.ts';

const shape = z.strictObject({ KeyId: keyId, PolicyName: z.string().min(1).max(128).default(POLICY_NAME) });

export const getKeyPolicy = action(shape, async (kms, input, context) => {
  const key = await openKey(kms, input.KeyId, context, { action: 'GetKeyPolicy', aliases: false });
  if (input.PolicyName !== POLICY_NAME) refuse('PolicyNotFound', {});
  // Who was deleted is shown by its unique id, so that a policy can be read without mistaking a namesake for it.
  const gone = await goneIds(kms, key.principalIds, context);
  return { Policy: renamePrincipals(keyPolicyText(key), gone), PolicyName: POLICY_NAME };
});
