import { parsePolicy } from '@holdfast/iam';
import { describe, expect, it } from 'vitest';
import { awsManagedPolicies, awsManagedPolicy } from './aws-managed-policies.ts';

describe("AWS's managed policies", () => {
  it.each(awsManagedPolicies.map((policy) => [policy.name, policy] as const))('%s is a policy', (_, policy) => {
    expect(parsePolicy(policy.document, 'managed').statements.length).toBeGreaterThan(0);
    expect(awsManagedPolicy(policy.arn)).toMatchObject({
      policyId: expect.stringMatching(/^ANPA[A-Z0-9]{17}$/) as string,
    });
  });
  it('are found by their whole ARN only', () => {
    expect(awsManagedPolicy('AdministratorAccess')).toBeNull();
    expect(awsManagedPolicy('arn:aws:iam::111122223333:policy/AdministratorAccess')).toBeNull();
  });
});
