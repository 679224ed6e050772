import { z } from 'zod';
import { checkPolicy, POLICY_NAME } from '../domain/access.ts';
import { refuse } from '../domain/errors.ts';
import { accessRequest, openKeyFor } from './access.ts';
import { action } from './action.ts';
import { applyChange } from './key-changes.ts';
import { principalIdsOf } from './principals.ts';
import { keyId, policyText } from './shapes.ts';

const shape = z.strictObject({
  KeyId: keyId,
  PolicyName: z.string().min(1).max(128).default(POLICY_NAME),
  Policy: policyText,
  BypassPolicyLockoutSafetyCheck: z.boolean().default(false),
});

export const putKeyPolicy = action(shape, async (kms, input, context) => {
  const { BypassPolicyLockoutSafetyCheck: bypass, Policy: policy } = input;
  const conditions = { 'kms:BypassPolicyLockoutSafetyCheck': bypass };
  const key = await openKeyFor(kms, 'PutKeyPolicy', input.KeyId, context, { conditions });
  if (input.PolicyName !== POLICY_NAME) refuse('PolicyNotFound', {});
  checkPolicy(policy, await accessRequest(kms, 'PutKeyPolicy', key, context), { bypass, ...kms.quotas });
  const principalIds = await principalIdsOf(kms, policy, context);
  await applyChange(kms, key, context, { type: 'PutKeyPolicy', policy, principalIds });
  return {};
});
