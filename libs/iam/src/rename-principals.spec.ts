import { describe, expect, it } from 'vitest';
import { renamePrincipals } from './rename-principals.ts';
import { bob, document, eve, OWN } from './testing/fixtures.ts';

describe('principals under other names', () => {
  const text = document(
    { Effect: 'Allow', Principal: { AWS: [bob.arn, OWN] }, Action: 'kms:*', Resource: bob.arn },
    { Effect: 'Deny', NotPrincipal: { AWS: bob.arn }, Action: 'kms:*', Resource: '*' },
  );
  it('are renamed where principals stand, and nowhere else', () => {
    expect(renamePrincipals(text, { [bob.arn]: bob.id, [eve.arn]: eve.id })).toBe(
      document(
        { Effect: 'Allow', Principal: { AWS: [bob.id, OWN] }, Action: 'kms:*', Resource: bob.arn },
        { Effect: 'Deny', NotPrincipal: { AWS: bob.id }, Action: 'kms:*', Resource: '*' },
      ),
    );
  });
  it('leave a text as it was put when there are none', () => {
    const put = '{ "Statement" : {"Effect":"Allow"} }';
    expect(renamePrincipals(put, {})).toBe(put);
  });
  it('are found in a single statement, and never on the prototype', () => {
    const one = JSON.stringify({ Statement: { Principal: { AWS: 'toString' } } });
    expect(renamePrincipals(one, { a: 'b' })).toBe(JSON.stringify({ Statement: [{ Principal: { AWS: 'toString' } }] }));
  });
});
