import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { generateRecipient } from '@holdfast/sealing';
import { type ACCOUNT, ALLOW_ALL, document, RunningIdentity } from './testing/running-identity.ts';

let identity: RunningIdentity;
beforeAll(async () => {
  identity = await RunningIdentity.start(inject('postgresAdminUrl'));
});
afterAll(() => identity.close());

const OTHER = { accountId: '444455556666' as typeof ACCOUNT };
// eslint-disable-next-line @typescript-eslint/no-explicit-any
const call = (action: string, input: object = {}, fields = {}) => identity.call<any>(action, input, fields);

describe('account aliases', () => {
  const aliases = async (fields = {}) => (await call('ListAccountAliases', {}, fields)).AccountAliases;
  it('are one an account, and nobody else’s', async () => {
    expect(await aliases()).toEqual([]);
    await call('CreateAccountAlias', { AccountAlias: 'storage-team' });
    await call('CreateAccountAlias', { AccountAlias: 'storage-team' });
    expect(await aliases()).toEqual(['storage-team']);
    await expect(call('CreateAccountAlias', { AccountAlias: 'storage-team' }, OTHER)).rejects.toMatchObject({
      ...{ code: 'EntityAlreadyExists', message: 'The account alias storage-team already exists.', status: 409 },
    });
    await call('CreateAccountAlias', { AccountAlias: 'block-team' });
    expect(await aliases()).toEqual(['block-team']);
    await call('CreateAccountAlias', { AccountAlias: 'storage-team' }, OTHER);
    await expect(call('DeleteAccountAlias', { AccountAlias: 'storage-team' })).rejects.toMatchObject({
      ...{ code: 'NoSuchEntity', message: 'The account alias storage-team cannot be found.' },
    });
    await call('DeleteAccountAlias', { AccountAlias: 'block-team' });
    expect([await aliases(), await aliases(OTHER)]).toEqual([[], ['storage-team']]);
  });
});

describe('service-linked roles', () => {
  it('are made for a service and changed by nobody', async () => {
    const input = { AWSServiceName: 'autoscaling.amazonaws.com', CustomSuffix: 'ebs', Description: 'd' };
    const { Role } = await call('CreateServiceLinkedRole', input);
    const RoleName = 'AWSServiceRoleForAutoScaling_ebs';
    expect(Role).toMatchObject({ RoleName, Path: '/aws-service-role/autoscaling.amazonaws.com/', Description: 'd' });
    expect(JSON.parse(decodeURIComponent(Role.AssumeRolePolicyDocument)).Statement[0].Principal).toEqual({
      Service: 'autoscaling.amazonaws.com',
    });
    await expect(call('CreateServiceLinkedRole', input)).rejects.toMatchObject({ code: 'InvalidInput' });
    await expect(call('CreateServiceLinkedRole', { AWSServiceName: 'x.amazonaws.com' })).rejects.toMatchObject({
      code: 'InvalidInput',
    });
    const PolicyArn = 'arn:aws:iam::aws:policy/ReadOnlyAccess';
    for (const [action, more] of [
      ['DeleteRole', {}],
      ['UpdateAssumeRolePolicy', { PolicyDocument: decodeURIComponent(Role.AssumeRolePolicyDocument) }],
      ['AttachRolePolicy', { PolicyArn }],
      ['PutRolePolicy', { PolicyName: 'p', PolicyDocument: document(ALLOW_ALL) }],
      ['PutRolePermissionsBoundary', { PermissionsBoundary: PolicyArn }],
    ] as const) {
      await expect(call(action, { RoleName, ...more }), action).rejects.toMatchObject({
        code: 'UnmodifiableEntity',
        message: `Cannot perform the operation on the protected role '${RoleName}' - this role is only modifiable by AWS`,
      });
    }
    const { DeletionTaskId } = await call('DeleteServiceLinkedRole', { RoleName });
    expect(await call('GetServiceLinkedRoleDeletionStatus', { DeletionTaskId })).toEqual({ Status: 'SUCCEEDED' });
    await expect(call('GetRole', { RoleName })).rejects.toMatchObject({ code: 'NoSuchEntity' });
    await expect(call('GetServiceLinkedRoleDeletionStatus', { DeletionTaskId: 'task/x' })).rejects.toMatchObject({
      code: 'InvalidInput',
    });
  });
});

describe('uses of access keys', () => {
  it('are known at once, and to every replica soon; a key of another account is not', async () => {
    await identity.user('used');
    const { AccessKey } = await identity.credentials('CreateAccessKey', { UserName: 'used' });
    const { AccessKeyId } = AccessKey as { AccessKeyId: string };
    const last = () => call('GetAccessKeyLastUsed', { AccessKeyId });
    expect(await last()).toEqual({ UserName: 'used', AccessKeyLastUsed: { Region: 'N/A', ServiceName: 'N/A' } });
    const recipientPublicKey = (await generateRecipient()).publicKeyBase64;
    const scope = {
      accessKeyId: AccessKeyId,
      date: '20260301',
      region: 'eu-west-1',
      service: 'kms',
      recipientPublicKey,
    };
    expect(await call('ResolveSigningKey', scope)).not.toBeNull();
    const used = await last();
    expect(used.AccessKeyLastUsed).toMatchObject({ Region: 'eu-west-1', ServiceName: 'kms' });
    expect(Math.abs(Date.parse(used.AccessKeyLastUsed.LastUsedDate) - Date.now())).toBeLessThan(600_000);
    const replica = await identity.replica();
    try {
      const answers = () => Promise.all(Array.from({ length: 8 }, last));
      await expect.poll(answers).toEqual(Array(8).fill(used));
    } finally {
      await replica.close();
    }
    for (const fields of [OTHER]) {
      await expect(call('GetAccessKeyLastUsed', { AccessKeyId }, fields)).rejects.toMatchObject({
        code: 'NoSuchEntity',
      });
    }
  });
});

describe('GetAccountAuthorizationDetails', () => {
  it('shows everything of the account, page by page or by kind', async () => {
    const fields = { accountId: '777788889999' as typeof ACCOUNT };
    const trust = document({ Effect: 'Allow', Principal: { AWS: '777788889999' }, Action: 'sts:AssumeRole' });
    const inline = { PolicyName: 'inline', PolicyDocument: document(ALLOW_ALL) };
    const AWS = 'arn:aws:iam::aws:policy/ReadOnlyAccess';
    await call('CreateUser', { UserName: 'ann', Path: '/a/', Tags: [{ Key: 'k', Value: 'v' }] }, fields);
    await call('PutUserPolicy', { UserName: 'ann', ...inline }, fields);
    await call('CreateGroup', { GroupName: 'ops' }, fields);
    await call('AddUserToGroup', { GroupName: 'ops', UserName: 'ann' }, fields);
    await call('AttachGroupPolicy', { GroupName: 'ops', PolicyArn: AWS }, fields);
    await call('CreateRole', { RoleName: 'runner', AssumeRolePolicyDocument: trust }, fields);
    await call('CreateInstanceProfile', { InstanceProfileName: 'runner' }, fields);
    await call('AddRoleToInstanceProfile', { InstanceProfileName: 'runner', RoleName: 'runner' }, fields);
    const { Policy } = await call('CreatePolicy', { PolicyName: 'own', PolicyDocument: document(ALLOW_ALL) }, fields);
    const all = await call('GetAccountAuthorizationDetails', {}, fields);
    expect(all).toMatchObject({
      UserDetailList: [{ UserName: 'ann', Path: '/a/', GroupList: ['ops'], UserPolicyList: [{ PolicyName: 'inline' }], Tags: [{ Key: 'k', Value: 'v' }] }],
      GroupDetailList: [{ GroupName: 'ops', AttachedManagedPolicies: [{ PolicyName: 'ReadOnlyAccess', PolicyArn: AWS }] }],
      RoleDetailList: [{ RoleName: 'runner', InstanceProfileList: [{ InstanceProfileName: 'runner' }] }],
      Policies: [{ Arn: Policy.Arn, PolicyVersionList: [{ VersionId: 'v1', IsDefaultVersion: true }] }, { Arn: AWS }],
      IsTruncated: false,
    }); // prettier-ignore
    const users = await call('GetAccountAuthorizationDetails', { Filter: ['User'] }, fields);
    expect([users.UserDetailList.length, users.RoleDetailList, users.Policies]).toEqual([1, [], []]);
    const seen: unknown[] = [];
    for (let Marker: string | undefined; ;) {
      const part = await call('GetAccountAuthorizationDetails', { MaxItems: 2, Marker }, fields);
      seen.push(...part.UserDetailList, ...part.GroupDetailList, ...part.RoleDetailList, ...part.Policies);
      if (!part.IsTruncated) break;
      Marker = part.Marker;
    }
    expect(seen).toEqual([...all.UserDetailList, ...all.GroupDetailList, ...all.RoleDetailList, ...all.Policies]);
  });
});
