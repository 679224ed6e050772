import { describe, expect, it } from 'vitest';
import { authorizationMessage, authorizationMessageText } from './authorization-message.ts';
import { admitPolicy } from './compile-policy.ts';
import {
  denialMessage,
  ebsDenialMessage,
  ec2DenialMessage,
  kmsDenialMessage,
  kmsForeignDenialMessage,
  stsDenialMessage,
} from './denial.ts';
import { evaluate } from './evaluate.ts';
import { defaultKeyPolicy, ebsKeyPolicy } from './key-policies.ts';
import { lockoutCheck } from './lockout-check.ts';
import { parsePolicy } from './parse-policy.ts';
import { policyWarnings } from './policy-warnings.ts';
import { conditionKey } from './condition-keys.ts';
import { smallestChange } from './smallest-change.ts';
import { admin, allow, bob, deny, document, EC2, eve, foreignRoot, grantTo, identity, KEY, keyPolicy, OTHER, OWN, policy, question, REGION, root, service, to, VOLUME } from './testing/fixtures.ts'; // prettier-ignore

const delegating = keyPolicy(to(OWN));
const asked = (more: Parameters<typeof question>[0]) => evaluate(question(more));
const start = `User: ${bob.arn} is not authorized to perform: kms:Decrypt on resource: ${KEY}`;

describe('denials of KMS', () => {
  it.each<[string, Parameters<typeof question>[0]]>([
    ['because no identity-based policy allows the kms:Decrypt action', { resourcePolicy: delegating }],
    ['because no resource-based policy allows the kms:Decrypt action', { resourcePolicy: keyPolicy(to(eve.arn)) }],
    ['because no permissions boundary allows the kms:Decrypt action', { resourcePolicy: delegating, identityPolicies: [identity(allow())], permissionsBoundary: policy('boundary', allow({ Action: 'ec2:*' })) }],
    ['because no session policy allows the kms:Decrypt action', { resourcePolicy: delegating, identityPolicies: [identity(allow())], sessionPolicies: [] }],
    ['with an explicit deny in a resource-based policy', { resourcePolicy: keyPolicy(to(OWN), to(bob.arn, { Effect: 'Deny' })) }],
    ['with an explicit deny in an identity-based policy', { resourcePolicy: delegating, identityPolicies: [identity(deny())] }],
    ['with an explicit deny in a permissions boundary', { resourcePolicy: delegating, permissionsBoundary: policy('boundary', deny()) }],
    ['with an explicit deny in a session policy', { resourcePolicy: delegating, sessionPolicies: [policy('session', deny())] }],
  ])('… %s', (because, more) => {
    expect(kmsDenialMessage(asked(more))).toBe(`${start} ${because}`);
  }); // prettier-ignore
  it('name the session, and no resource as *', () => {
    const decision = asked({
      request: { principal: admin, action: 'kms:CreateKey', resource: '*' },
      resourceAccount: null,
    });
    expect(kmsDenialMessage(decision)).toBe(`User: arn:aws:sts::${OWN}:assumed-role/admin/monday is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action`); // prettier-ignore
  });
  it('say nothing about what another account may not have', () => {
    expect(kmsForeignDenialMessage({ principalArn: bob.arn, action: 'kms:Decrypt', resource: KEY })).toBe(`${start} because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access`); // prettier-ignore
  });
  it('are not of what is allowed', () => {
    expect(() => denialMessage(asked({ resourcePolicy: keyPolicy(to(bob.arn)) }))).toThrow(RangeError);
  });
});

describe('denials of other APIs', () => {
  const create = { request: { action: 'ec2:CreateVolume', resource: VOLUME } };
  const user = `You are not authorized to perform this operation. User: ${bob.arn} is not authorized to perform: `;
  it('EC2, encoded or not', () => {
    const because = `${user}ec2:CreateVolume on resource: ${VOLUME} because no identity-based policy allows the ec2:CreateVolume action`;
    expect(ec2DenialMessage(asked(create))).toBe(because);
    expect(ec2DenialMessage(asked(create), 'blob')).toBe(`${because}. Encoded authorization failure message: blob`);
    expect(ec2DenialMessage(asked({ ...create, identityPolicies: [identity(deny())] }), 'b')).toBe(`${user}ec2:CreateVolume on resource: ${VOLUME} with an explicit deny in an identity-based policy. Encoded authorization failure message: b`); // prettier-ignore
    const describe = asked({ request: { action: 'ec2:DescribeVolumes', resource: '*' }, resourceAccount: null });
    expect(ec2DenialMessage(describe)).toBe(
      `${user}ec2:DescribeVolumes because no identity-based policy allows the ec2:DescribeVolumes action`,
    );
  });
  it('EBS direct', () => {
    const resource = `arn:aws:ec2:${REGION}::snapshot/snap-1`;
    const decision = asked({ request: { action: 'ebs:GetSnapshotBlock', resource } });
    expect(ebsDenialMessage(decision)).toBe(`User: ${bob.arn} is not authorized to perform: ebs:GetSnapshotBlock on resource: ${resource} because no identity-based policy allows the ebs:GetSnapshotBlock action`); // prettier-ignore
  });
  it('STS ends early when the trust policy does not admit', () => {
    const role = `arn:aws:iam::${OWN}:role/r`;
    const assume = { request: { action: 'sts:AssumeRole', resource: role } };
    const sentence = `User: ${bob.arn} is not authorized to perform: sts:AssumeRole on resource: ${role}`;
    expect(stsDenialMessage(asked(assume))).toBe(sentence);
    const trust = policy('trust', { Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: OWN } });
    expect(stsDenialMessage(asked({ ...assume, resourcePolicy: trust }))).toBe(`${sentence} because no identity-based policy allows the sts:AssumeRole action`); // prettier-ignore
  });
});

describe('the smallest change', () => {
  const statement = { Effect: 'Allow', Action: 'kms:Decrypt', Resource: KEY };
  const change = (more: Parameters<typeof question>[0]) => smallestChange(asked(more));
  it('is an identity policy when the key policy delegates', () => {
    const { changes, sentence } = change({ resourcePolicy: delegating });
    expect(changes).toEqual([{ kind: 'add-statement', side: 'identity', statement }]);
    expect(sentence).toBe(`To allow kms:Decrypt: add {"Effect":"Allow","Action":"kms:Decrypt","Resource":"${KEY}"} to the caller's identity-based policies.`); // prettier-ignore
  });
  it('is a statement of the key policy when it does not, for the role behind a session', () => {
    const { changes } = change({ request: { principal: admin }, resourcePolicy: keyPolicy(to(eve.arn)) });
    const named = { Effect: 'Allow', Principal: { AWS: admin.roleArn }, Action: 'kms:Decrypt', Resource: '*' };
    expect(changes).toEqual([{ kind: 'add-statement', side: 'resource', statement: named }]);
  });
  it('names a service as one', () => {
    const { changes } = change({ request: { principal: service }, resourcePolicy: delegating });
    expect(changes).toMatchObject([{ side: 'resource', statement: { Principal: { Service: EC2 } } }]);
  });
  it('is both sides across accounts', () => {
    const { changes } = change({ request: { principal: eve }, resourcePolicy: delegating });
    expect(changes).toMatchObject([{ side: 'resource' }, { side: 'identity', statement }]);
  });
  it('removes each deny, and says which', () => {
    const denying = keyPolicy(to(bob.arn), to(bob.arn, { Effect: 'Deny', Sid: 'No Bob' }));
    const { changes, sentence } = change({ resourcePolicy: denying });
    expect(changes).toEqual([{ kind: 'remove-statement', side: 'resource', policyIndex: 0, policyName: null, statementIndex: 1, sid: 'No Bob' }]); // prettier-ignore
    expect(sentence).toContain(`remove statement "No Bob", which denies it, from the resource's policy`);
  });
  it('points to a condition that alone was not met', () => {
    const viaEc2 = keyPolicy(to(bob.arn, { Condition: { StringEquals: { 'kms:ViaService': EC2 } } }));
    const { nearest, sentence } = change({ resourcePolicy: viaEc2 });
    expect(nearest?.statementIndex).toBe(0);
    expect(sentence).toContain(`Or meet the condition of statement 0 of the resource's policy: StringEquals kms:ViaService ${EC2} (the request has none).`); // prettier-ignore
  });
  it('does not exist where policies have no say', () => {
    const disable = {
      request: { principal: foreignRoot, action: 'kms:DisableKey' },
      resourcePolicy: keyPolicy(to(OTHER)),
    };
    expect(change(disable)).toMatchObject({ changes: [], sentence: expect.stringContaining(OWN) as unknown });
    const retire = { request: { action: 'kms:RetireGrant' }, resourcePolicy: delegating, grants: [grantTo(eve.arn)] };
    expect(change(retire).changes).toEqual([]);
    expect(change({ resourcePolicy: keyPolicy(to(bob.arn)) }).sentence).toBe('It is allowed already.');
  });
});

describe('key policies that AWS writes', () => {
  it('the default one, to the letter', () => {
    expect(defaultKeyPolicy('111122223333')).toBe(
      '{\n  "Version" : "2012-10-17",\n  "Id" : "key-default-1",\n  "Statement" : [ {\n    "Sid" : "Enable IAM User Permissions",\n    "Effect" : "Allow",\n    "Principal" : {\n      "AWS" : "arn:aws:iam::111122223333:root"\n    },\n    "Action" : "kms:*",\n    "Resource" : "*"\n  } ]\n}', // prettier-ignore
    );
  });
  it('that of aws/ebs', () => {
    const { id, statements } = parsePolicy(ebsKeyPolicy(OWN, REGION), 'key');
    expect([id, statements.length]).toEqual(['auto-ebs-2', 2]);
    expect(statements[0]?.conditions).toEqual([
      { operator: 'StringEquals', key: 'kms:CallerAccount', values: [OWN] },
      { operator: 'StringEquals', key: 'kms:ViaService', values: [EC2] },
    ]);
    expect(ebsKeyPolicy(OWN, REGION)).toContain('"Action" : [ "kms:Encrypt", "kms:Decrypt",');
  });
});

describe('the lockout check', () => {
  const message = 'The new key policy will not allow you to update the key policy in the future.';
  const check = (text: string, more: Parameters<typeof question>[0] = {}) =>
    lockoutCheck(admitPolicy(text, 'key'), question(more));
  it('accepts a policy under which the caller can put the next one', () => {
    expect(check(defaultKeyPolicy(OWN), { request: { principal: root } })).toEqual({ safe: true });
    expect(check(defaultKeyPolicy(OWN), { identityPolicies: [identity(allow())] })).toEqual({ safe: true });
    expect(check(document(to(bob.arn, { Action: 'kms:Put*' })))).toEqual({ safe: true });
  });
  it('refuses one under which the caller cannot', () => {
    expect(check(defaultKeyPolicy(OWN))).toMatchObject({ safe: false, message });
    expect(check(document(to(eve.arn)), { identityPolicies: [identity(allow())] })).toMatchObject({
      safe: false,
      message,
    });
    expect(check(document(to(bob.arn, { Action: 'kms:Decrypt' })))).toMatchObject({ safe: false });
    expect(check(document(to(bob.arn), deny({ Principal: '*', Action: 'kms:PutKeyPolicy' })))).toMatchObject({
      safe: false,
    });
    const elsewhere = { IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } };
    expect(
      check(document(to(bob.arn, { Condition: elsewhere })), { request: { sourceIp: '203.0.113.1' } }),
    ).toMatchObject({ safe: false });
  });
  it('counts no grant', () => {
    const grants = [grantTo(bob.arn, { operations: ['PutKeyPolicy'] })];
    expect(check(document(to(eve.arn)), { grants })).toMatchObject({ safe: false });
  });
});

describe('the authorization message', () => {
  const decision = asked({
    request: { action: 'ec2:CreateVolume', resource: VOLUME, context: { 'ec2:Encrypted': false } },
    identityPolicies: [identity(allow(), deny({ Sid: 'enc', Condition: { Bool: { 'ec2:Encrypted': 'false' } } }))],
  });
  it('has what DecodeAuthorizationMessage shows', () => {
    const message = authorizationMessage(decision);
    expect(message).toMatchObject({
      allowed: false,
      explicitDeny: true,
      matchedStatements: { items: [{ statementId: '', effect: 'ALLOW' }, { statementId: 'enc', effect: 'DENY', sourcePolicyId: 'identity' }] },
      failures: { items: [] },
      context: { principal: { id: bob.id, name: 'bob', arn: bob.arn }, action: 'ec2:CreateVolume', resource: VOLUME },
    }); // prettier-ignore
    expect(message.context.conditions.items).toContainEqual({
      key: 'ec2:encrypted',
      values: { items: [{ value: 'false' }] },
    });
  });
  it('fits the size that is asked for', () => {
    const whole = authorizationMessageText(decision, 7_600);
    expect(JSON.parse(whole)).toEqual(authorizationMessage(decision));
    const less = authorizationMessageText(decision, whole.length - 1);
    expect((JSON.parse(less) as ReturnType<typeof authorizationMessage>).context.principal.id).toBe(bob.id);
    expect(less.length).toBeLessThan(whole.length);
    expect(() => authorizationMessageText(decision, 10)).toThrow(RangeError);
  });
});

describe('warnings', () => {
  const codes = (statement: Record<string, unknown>, kind: 'identity' | 'key' = 'identity') =>
    policyWarnings(parsePolicy(document(statement), kind)).map(({ code }) => code);
  const on = (condition: unknown) => codes(allow({ Condition: condition }));
  it.each<[string, unknown, string[]]>([
    ['a good condition', { StringEquals: { 'kms:viaservice': EC2 }, Null: { 'aws:TagKeys': 'false' }, ArnLike: { 'aws:PrincipalArn': '*' } }, []],
    ['an encryption context', { StringEquals: { 'kms:EncryptionContext:aws:ebs:id': 'vol-1' } }, []],
    ['a tag', { StringLike: { 'aws:RequestTag/Team': 'a*' } }, []],
    ['an unknown key', { StringEquals: { 'kms:ViaServices': 'x' } }, ['unknown-condition-key']],
    ['a family without its member', { StringEquals: { 'aws:RequestTag/': 'x' } }, ['unknown-condition-key']],
    ['another type', { NumericEquals: { 'ec2:Encrypted': 1 } }, ['operator-of-another-type']],
    ['a set operator on one value', { 'ForAnyValue:StringEquals': { 'aws:username': 'x' } }, ['set-operator-on-single-value']],
    ['one value of many', { StringEquals: { 'aws:TagKeys': 'x' } }, ['single-value-operator-on-set']],
    ['an unguarded ForAllValues', { 'ForAllValues:StringEquals': { 'aws:TagKeys': 'x' } }, ['allows-when-key-is-absent']],
    ['a guarded one', { 'ForAllValues:StringEquals': { 'aws:TagKeys': 'x' }, Null: { 'aws:tagkeys': false } }, []],
  ])('%s', (_, condition, expected) => {
    expect(on(condition)).toEqual(expected);
  }); // prettier-ignore
  it('of principals and resources', () => {
    expect(codes({ ...allow(), NotPrincipal: { AWS: OWN } }, 'key')).toEqual(['allow-with-not-principal']);
    expect(codes({ Effect: 'Allow', Action: 'kms:*', Principal: '*' }, 'key')).toEqual(['no-resource']);
  });
  it('know the types of keys in any case', () => {
    expect(conditionKey('KMS:GRANTOPERATIONS')).toEqual({
      name: 'kms:GrantOperations',
      type: 'string',
      multivalued: true,
    });
    expect(conditionKey('ec2:Attribute/x')?.name).toBe('ec2:Attribute/');
    expect(conditionKey('ec2:Attribute')?.name).toBe('ec2:Attribute');
    expect(conditionKey('nosuch:key')).toBeNull();
  });
});
