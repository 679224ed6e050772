import type { CompiledPolicy } from './compile-policy.ts';
import type { Decision } from './decision.ts';
import { type AccessQuestion, evaluate } from './evaluate.ts';

/** Who calls CreateKey or PutKeyPolicy. `request.resource` is the key's ARN; its action does not matter. */
export type LockoutCaller = Omit<AccessQuestion, 'resourcePolicy' | 'grants'>;

export type LockoutCheck =
  { readonly safe: true } | { readonly safe: false; readonly message: string; readonly decision: Decision };

/**
 * Whether the caller could put the next key policy under this one, by name or by what it delegates to the caller's
 * identity-based policies. Not asked when BypassPolicyLockoutSafetyCheck is true.
 * @see KMS API reference, PutKeyPolicy
 */
export const lockoutCheck = (policy: CompiledPolicy<'key'>, caller: LockoutCaller): LockoutCheck => {
  const request = { ...caller.request, action: 'kms:PutKeyPolicy' };
  const decision = evaluate({ ...caller, request, resourcePolicy: policy, grants: [] });
  if (decision.allowed) return { safe: true };
  const message = 'The new key policy will not allow you to update the key policy in the future.';
  return { safe: false, message, decision };
};
