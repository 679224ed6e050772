import { describe, expect, it } from 'vitest';
import { policyStep, resourcesNamedIn } from './decision-record.ts';
import { evaluate } from './evaluate.ts';
import { allow, bob, identity, KEY, keyPolicy, OWN, question, to, VOLUME } from './testing/fixtures.ts';

describe('a decision as it is kept', () => {
  it('has what was looked at, in order, and which of it decided', () => {
    const decision = evaluate(
      question({
        identityPolicies: [identity(allow({ Action: 'ec2:*' }), allow({ Action: 'kms:Decrypt' }))],
        resourcePolicy: keyPolicy(to(OWN)),
      }),
    );
    const step = policyStep(decision);
    expect(step).toMatchObject({ action: 'kms:Decrypt', resource: KEY, allowed: true, omitted: 0, change: null });
    expect(step.trail).toEqual(decision.trail);
    expect(step.trail[step.deciding ?? -1]).toMatchObject({ side: 'identity', statementIndex: 1, matched: true });
  });

  it('says of a denial what would allow the call', () => {
    const step = policyStep(evaluate(question({ resourcePolicy: keyPolicy(to(OWN)) })));
    expect(step).toMatchObject({ allowed: false, deciding: null });
    expect(step.change?.sentence).toContain('add {"Effect":"Allow","Action":"kms:Decrypt"');
  });

  it('keeps its size, and never loses what matched', () => {
    const others = Array.from({ length: 500 }, (_, index) => allow({ Sid: `n${String(index)}`, Action: 'ec2:*' }));
    const long = { StringEquals: { 'aws:username': Array.from({ length: 50 }, () => 'x'.repeat(1000)) } };
    const decision = evaluate(
      question({
        identityPolicies: [identity(allow({ Condition: long }), ...others, allow({ Action: 'kms:Decrypt' }))],
        resourcePolicy: keyPolicy(to(OWN)),
      }),
    );
    const step = policyStep(decision);
    expect(step.omitted).toBe(decision.trail.length - step.trail.length);
    expect(step.omitted).toBeGreaterThan(400);
    expect(step.trail[step.deciding ?? -1]).toMatchObject({ statementIndex: 501, matched: true });
    expect(JSON.stringify(step).length).toBeLessThan(20_000);
  });
});

describe('the resources by which a decision is found', () => {
  it('are the ids and keys that its request names', () => {
    const input = {
      KeyId: KEY,
      EncryptionContext: { 'aws:ebs:id': 'vol-0123456789abcdef0' },
      GranteePrincipal: `arn:aws:sts::${OWN}:assumed-role/aws:ec2-infrastructure/i-0123456789abcdef0`,
    };
    expect(resourcesNamedIn(input, VOLUME)).toEqual([KEY, 'vol-0123456789abcdef0', 'i-0123456789abcdef0']);
  });
  it('are none of anything else', () => {
    expect(resourcesNamedIn({ Plaintext: 'dm9sLTAx', UserName: bob.arn }, undefined)).toEqual([]);
  });
});
