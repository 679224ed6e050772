import { accountId, instancePrincipal } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { federatedUser, principalOf } from './principal.ts';
import { type AccessRequest, RequestValues } from './request.ts';
import { admin, AT, bob, EC2, federated, KEY, OWN, REGION, root, service } from './testing/fixtures.ts';

const values = (request: Partial<AccessRequest>) =>
  new RequestValues({ principal: bob, action: 'kms:Decrypt', resource: KEY, region: REGION, at: AT, ...request }, OWN);
const value = (key: string, request: Partial<AccessRequest> = {}) => values(request).of(key.toLowerCase());

describe('condition keys of the principal', () => {
  it.each([
    [root, `arn:aws:iam::${OWN}:root`, 'Account', OWN, undefined],
    [bob, bob.arn, 'User', bob.id, ['bob']],
    [admin, admin.roleArn, 'AssumedRole', 'AROAEXAMPLEADMIN0001:monday', undefined],
    [federated, federated.arn, 'FederatedUser', `${OWN}:bobs-guest`, undefined],
  ])('$kind', (principal, arn, type, userId, userName) => {
    expect(value('aws:PrincipalArn', { principal })).toEqual([arn]);
    expect(value('aws:PrincipalType', { principal })).toEqual([type]);
    expect(value('aws:PrincipalAccount', { principal })).toEqual([OWN]);
    expect(value('kms:CallerAccount', { principal })).toEqual([OWN]);
    expect(value('aws:userid', { principal })).toEqual([userId]);
    expect(value('aws:username', { principal })).toEqual(userName);
    expect(value('aws:PrincipalIsAWSService', { principal })).toEqual(['false']);
  });
  it('service', () => {
    expect(value('aws:PrincipalIsAWSService', { principal: service })).toEqual(['true']);
    expect(value('aws:PrincipalServiceName', { principal: service })).toEqual([EC2]);
    expect(value('kms:CallerAccount', { principal: service })).toBeUndefined();
  });
  it('has its tags, which no context can forge', () => {
    const context = {
      'aws:PrincipalTag/Team': 'red',
      'aws:PrincipalTag/Role': 'boss',
      'aws:PrincipalArn': 'x',
      'kms:ViaService': EC2,
    };
    expect(value('aws:PrincipalTag/team', { context })).toEqual(['blue']);
    expect(value('aws:PrincipalTag/role', { context })).toBeUndefined();
    expect(value('aws:PrincipalArn', { context })).toEqual([bob.arn]);
    expect(value('kms:ViaService', { context })).toBeUndefined();
    expect(value('aws:PrincipalArn', { simulatedContext: context })).toEqual(['x']);
  });
});

describe('condition keys of the request', () => {
  it('says when and where', () => {
    expect(value('aws:CurrentTime')).toEqual(['2026-07-01T12:00:00.000Z']);
    expect(value('aws:EpochTime')).toEqual([String(AT.getTime() / 1000)]);
    expect(value('aws:RequestedRegion')).toEqual([REGION]);
    expect(value('aws:ResourceAccount')).toEqual([OWN]);
  });
  it("hides the user's address behind a service", () => {
    expect(value('aws:SourceIp', { sourceIp: '203.0.113.1' })).toEqual(['203.0.113.1']);
    expect(value('aws:SourceIp', { sourceIp: '203.0.113.1', viaService: EC2 })).toBeUndefined();
    expect(value('kms:ViaService', { viaService: EC2 })).toEqual([EC2]);
    expect(value('aws:ViaAWSService', { viaService: EC2 })).toEqual(['true']);
    expect(value('kms:ViaService', { viaService: EC2, action: 'ec2:X' })).toBeUndefined();
  });
  it('has the encryption context, pair by pair and by its keys', () => {
    const kms = { encryptionContext: { 'aws:ebs:id': 'vol-1', Dept: 'a', dept: 'b' } };
    expect(value('kms:EncryptionContext:aws:ebs:id', { kms })).toEqual(['vol-1']);
    expect(value('kms:EncryptionContextKeys', { kms })).toEqual(['aws:ebs:id', 'Dept', 'dept']);
    expect(value('kms:EncryptionContext:Dept', { kms })).toEqual(['a', 'b']);
    expect(value('kms:EncryptionContextKeys')).toBeUndefined();
    expect(value('kms:EncryptionContext:__proto__', { kms })).toBeUndefined();
  });
  it('has the grant that is to be made', () => {
    const newGrant = {
      granteePrincipal: admin.arn,
      retiringPrincipal: EC2,
      operations: ['Decrypt', 'Encrypt'],
      constraints: { EncryptionContextSubset: { a: 'b' } },
    };
    const create = { action: 'kms:CreateGrant', kms: { newGrant } };
    expect(value('kms:GrantOperations', create)).toEqual(['Decrypt', 'Encrypt']);
    expect(value('kms:GranteePrincipal', create)).toEqual([admin.arn]);
    expect(value('kms:RetiringPrincipal', create)).toEqual([EC2]);
    expect(value('kms:GrantConstraintType', create)).toEqual(['EncryptionContextSubset']);
    expect(value('kms:EncryptionContext:a', create)).toEqual(['b']);
    expect(value('kms:GrantIsForAWSResource', create)).toEqual(['false']);
    expect(value('kms:GrantIsForAWSResource', { ...create, viaService: EC2 })).toEqual(['true']);
    expect(value('kms:GrantIsForAWSResource')).toBeUndefined();
  });
  it('lists all of them', () => {
    const keys = values({ context: { 'ec2:Encrypted': true } })
      .all()
      .map(([key]) => key);
    expect(keys).toContain('ec2:encrypted');
    expect(keys).toContain('aws:principaltag/team');
    expect(new Set(keys).size).toBe(keys.length);
  });
});

describe('principalOf', () => {
  const accountOf = accountId(OWN);
  it('reads what a request context carries', () => {
    const common = { accountId: accountOf };
    expect(principalOf({ ...common, type: 'Root', arn: root.arn, principalId: OWN })).toEqual(root);
    expect(principalOf({ ...common, type: 'User', arn: bob.arn, principalId: bob.id }, bob.tags)).toEqual(bob);
    const session = { ...common, type: 'AssumedRole', arn: admin.arn, principalId: admin.id } as const;
    expect(principalOf({ ...session, roleArn: admin.roleArn })).toEqual(admin);
    expect(principalOf({ ...session, sessionTags: { a: 'b' } })).toMatchObject({
      roleArn: `arn:aws:iam::${OWN}:role/admin`,
      tags: { a: 'b' },
    });
    const guest = { ...common, type: 'FederatedUser', arn: federated.arn, principalId: federated.id } as const;
    expect(principalOf({ ...guest, userName: 'bob' })).toMatchObject({ userArn: `arn:aws:iam::${OWN}:user/bob` });
    const issuer = { issuerArn: bob.arn, issuerId: bob.id };
    expect(principalOf({ ...guest, userName: 'bob', ...issuer })).toMatchObject({ userArn: bob.arn, userId: bob.id });
    expect(principalOf(guest)).toEqual(federatedUser({ accountId: OWN, userArn: null, name: 'bobs-guest' }));
    expect(principalOf({ ...common, type: 'AWSService', arn: EC2, principalId: EC2 })).toEqual(service);
  });
  it("reads the infrastructure role's session", () => {
    const host = principalOf(instancePrincipal(accountOf, 'i-0123456789abcdef0'));
    expect(host).toMatchObject({ kind: 'role-session', roleArn: `arn:aws:iam::${OWN}:role/aws:ec2-infrastructure` });
  });
});
