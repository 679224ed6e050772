import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { Principal, PrincipalPolicies, PrincipalPoliciesAnswer } from '@holdfast/contracts';
import { ACCOUNT, ALLOW_ALL, document, RunningIdentity } from './testing/running-identity.ts';

let identity: RunningIdentity;
beforeAll(async () => {
  identity = await RunningIdentity.start(inject('postgresAdminUrl'));
});
afterAll(() => identity.close());

let suffix = 0;
/** A name of this test's own. */
const name = (stem: string) => `${stem}-${String(suffix)}`;
beforeEach(() => {
  suffix += 1;
});

const policiesOf = (principal: Principal, ifNoneMatch?: string) =>
  identity.call<PrincipalPoliciesAnswer>('GetPrincipalPolicies', { principal, ifNoneMatch });
const policies = async (principal: Principal): Promise<PrincipalPolicies> => {
  const answer = await policiesOf(principal);
  if (answer === null || answer.notModified) throw new Error('no policies');
  return answer.policies;
};

describe('GetPrincipalPolicies', () => {
  it("of a user are its own and its groups', with boundary and tags", async () => {
    const UserName = name('bob');
    const bob = await identity.user(UserName, { Effect: 'Allow', Action: 'ec2:*', Resource: '*' });
    await identity.call('CreateGroup', { GroupName: name('g') });
    await identity.call('AddUserToGroup', { GroupName: name('g'), UserName });
    await identity.call('PutGroupPolicy', {
      ...{ GroupName: name('g'), PolicyName: 'kms', PolicyDocument: document(ALLOW_ALL) },
    });
    const { Policy } = await identity.call<{ Policy: { Arn: string } }>('CreatePolicy', {
      ...{ PolicyName: name('p'), PolicyDocument: document(ALLOW_ALL) },
    });
    await identity.call('AttachGroupPolicy', { GroupName: name('g'), PolicyArn: Policy.Arn });
    await identity.call('AttachUserPolicy', { UserName, PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' });
    await identity.call('PutUserPermissionsBoundary', { UserName, PermissionsBoundary: Policy.Arn });
    await identity.call('TagUser', { UserName, Tags: [{ Key: 'team', Value: 'x' }] });
    const found = await policies(bob);
    expect(found.identityPolicies.map(({ sourceId, sourceType }) => [sourceId, sourceType]).sort()).toEqual([
      [Policy.Arn, 'user-managed'],
      ['arn:aws:iam::aws:policy/ReadOnlyAccess', 'aws-managed'],
      [`group_${name('g')}_kms`, 'group'],
      [`user_${UserName}_inline`, 'user'],
    ]);
    expect(found).toMatchObject({
      ...{ principalTags: { team: 'x' }, userName: UserName, userId: bob.principalId },
      permissionsBoundary: { sourceId: Policy.Arn, document: document(ALLOW_ALL) },
    });
  });

  it('are the same until something changes, and another at once when it does', async () => {
    const bob = await identity.user(name('bob'));
    const first = await policiesOf(bob);
    const version = first?.version;
    expect(await policiesOf(bob, version)).toEqual({ version, notModified: true });
    await identity.call('PutUserPolicy', {
      ...{ UserName: bob.userName, PolicyName: 'p', PolicyDocument: document(ALLOW_ALL) },
    });
    const second = await policiesOf(bob, version);
    expect(second).toMatchObject({ notModified: false, policies: { identityPolicies: [{ sourceType: 'user' }] } });
    expect(second?.version).not.toBe(version);
  });

  it('follow the default version of a managed policy', async () => {
    const { Policy } = await identity.call<{ Policy: { Arn: string } }>('CreatePolicy', {
      ...{ PolicyName: name('p'), PolicyDocument: document(ALLOW_ALL) },
    });
    const bob = await identity.user(name('bob'));
    await identity.call('AttachUserPolicy', { UserName: bob.userName, PolicyArn: Policy.Arn });
    const narrower = document({ Effect: 'Deny', Action: '*', Resource: '*' });
    await identity.call('CreatePolicyVersion', {
      ...{ PolicyArn: Policy.Arn, PolicyDocument: narrower, SetAsDefault: true },
    });
    expect((await policies(bob)).identityPolicies[0]?.document).toBe(narrower);
  });

  it('are none for nobody', async () => {
    const bob = await identity.user(name('bob'));
    const services = { type: 'AWSService', arn: 'ec2', accountId: ACCOUNT, principalId: 'ec2' } as const;
    const roleOfHosts = {
      ...{ type: 'AssumedRole' as const, arn: 'x', accountId: ACCOUNT },
      principalId: `${ACCOUNT}:aws:ec2-infrastructure:i-1`,
    };
    for (const principal of [services, roleOfHosts, { ...bob, accountId: '444455556666' as typeof ACCOUNT }]) {
      expect(await policiesOf(principal)).toBeNull();
    }
  });

  it('are none but the root rule for the root user', async () => {
    const root = {
      type: 'Root',
      arn: `arn:aws:iam::${ACCOUNT}:root`,
      accountId: ACCOUNT,
      principalId: ACCOUNT,
    } as const;
    expect(await policies(root)).toEqual({ identityPolicies: [], principalTags: {}, userId: ACCOUNT });
  });
});

describe('authorization messages', () => {
  it('are decoded by their account only', async () => {
    const message = JSON.stringify({ allowed: false, context: { action: 'ec2:CreateVolume' } });
    const { encodedMessage } = await identity.call<{ encodedMessage: string }>('EncodeAuthorizationMessage', {
      message,
    });
    expect(encodedMessage).toMatch(/^[\w-]+$/);
    expect(await identity.call('DecodeAuthorizationMessage', { EncodedMessage: encodedMessage })).toEqual({
      DecodedMessage: message,
    });
    const elsewhere = { accountId: '444455556666' as typeof ACCOUNT };
    for (const [EncodedMessage, fields] of [
      [encodedMessage, elsewhere],
      [`${encodedMessage.slice(0, -2)}AA`, {}],
      ['nonsense', {}],
    ] as const) {
      await expect(identity.call('DecodeAuthorizationMessage', { EncodedMessage }, fields)).rejects.toMatchObject({
        ...{ code: 'InvalidAuthorizationMessageException', status: 400, message: 'Message is not valid' },
      });
    }
  });

  it('stay within what STS takes, whatever is in them', async () => {
    const random = Array.from({ length: 7600 }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join(
      '',
    );
    const { encodedMessage } = await identity.call<{ encodedMessage: string }>('EncodeAuthorizationMessage', {
      message: random,
    });
    expect(encodedMessage.length).toBeLessThanOrEqual(10_240);
    expect(await identity.call('DecodeAuthorizationMessage', { EncodedMessage: encodedMessage })).toEqual({
      DecodedMessage: random,
    });
  });
});

describe('ResolvePrincipals', () => {
  it('tells users and roles by their ARNs from those that are not there', async () => {
    const bob = await identity.user(name('bob'));
    const trust = document({ Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'sts:AssumeRole' });
    const { Role } = await identity.call<{ Role: { Arn: string; RoleId: string } }>('CreateRole', {
      ...{ RoleName: name('named'), AssumeRolePolicyDocument: trust },
    });
    const { Arn, RoleId } = Role;
    const session = (role: string) => `arn:aws:sts::${ACCOUNT}:assumed-role/${role}/nightly`;
    const root = `arn:aws:iam::${ACCOUNT}:root`;
    const federated = `arn:aws:sts::${ACCOUNT}:federated-user/eve`;
    const absent = [`arn:aws:iam::${ACCOUNT}:user/absent`, session('absent'), 'AIDAABSENTABSENT', '__proto__'];
    const arns = [bob.arn, Arn, session(name('named')), RoleId, root, federated, ACCOUNT, ...absent];
    const { principalIds } = await identity.call<{ principalIds: object }>('ResolvePrincipals', { arns });
    const expected = [
      [bob.arn, bob.principalId],
      ...[Arn, session(name('named')), RoleId].map((arn) => [arn, RoleId]),
      ...[root, federated, ACCOUNT].map((arn) => [arn, ACCOUNT]),
      ...absent.map((arn) => [arn, null]),
    ];
    expect(new Map(Object.entries(principalIds))).toEqual(new Map(expected as [string, string | null][]));
  });
});

describe('GetIamResource', () => {
  it("tells path, spelling and tags of what a call names, in the caller's account", async () => {
    const UserName = name('Path');
    await identity.call('CreateUser', { UserName, Path: '/team/', Tags: [{ Key: 'a', Value: '1' }] });
    const ask = (kind: string, of: string, accountId = ACCOUNT) =>
      identity.call('GetIamResource', { kind, name: of }, { accountId });
    expect(await ask('user', UserName.toUpperCase())).toEqual({
      ...{ arn: `arn:aws:iam::${ACCOUNT}:user/team/${UserName}`, tags: { a: '1' } },
    });
    expect(await ask('role', UserName)).toBeNull();
    expect(await ask('user', UserName, '444455556666' as typeof ACCOUNT)).toBeNull();
    expect(await ask('policy', `arn:aws:iam::444455556666:policy/x`)).toBeNull();
    expect(await ask('policy', 'arn:aws:iam::aws:policy/ReadOnlyAccess')).toMatchObject({ tags: {} });
  });
});
