import type { iam } from '@holdfast/aws-protocol';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, ALLOW_ALL, document, RunningIdentity } from './testing/running-identity.ts';

let identity: RunningIdentity;
beforeAll(async () => {
  identity = await RunningIdentity.start(inject('postgresAdminUrl'));
});
afterAll(() => identity.close());

const call = <Name extends keyof iam.Operations>(name: Name, input: iam.Operations[Name]['in'], accountId?: string) =>
  identity.call<iam.Operations[Name]['out']>(name, input, accountId === undefined ? {} : ({ accountId } as object));
const trust = document({ Effect: 'Allow', Principal: { AWS: ACCOUNT }, Action: 'sts:AssumeRole' });

describe('users', () => {
  it('are created, described, changed and deleted', async () => {
    const { User } = await call('CreateUser', {
      ...{ UserName: 'Alice', Path: '/eng/' },
      Tags: [{ Key: 'team', Value: 'storage' }],
      PermissionsBoundary: 'arn:aws:iam::aws:policy/PowerUserAccess',
    });
    expect(User).toMatchObject({
      ...{ UserName: 'Alice', Path: '/eng/', Arn: `arn:aws:iam::${ACCOUNT}:user/eng/Alice` },
      UserId: expect.stringMatching(/^AIDA[A-Z2-7]{17}$/) as string,
      Tags: [{ Key: 'team', Value: 'storage' }],
      PermissionsBoundary: {
        PermissionsBoundaryType: 'PermissionsBoundaryPolicy',
        PermissionsBoundaryArn: 'arn:aws:iam::aws:policy/PowerUserAccess',
      },
    });
    await call('UpdateUser', { UserName: 'alice', NewUserName: 'Alicia', NewPath: '/' });
    expect((await call('GetUser', { UserName: 'ALICIA' })).User).toEqual({
      ...User,
      ...{ UserName: 'Alicia', Path: '/', Arn: `arn:aws:iam::${ACCOUNT}:user/Alicia` },
    });
    await call('DeleteUser', { UserName: 'Alicia' });
    await expect(call('GetUser', { UserName: 'Alicia' })).rejects.toMatchObject({
      ...{ code: 'NoSuchEntity', status: 404, message: 'The user with name Alicia cannot be found.' },
    });
  });

  it('have names that differ by more than case', async () => {
    await call('CreateUser', { UserName: 'Case' });
    await expect(call('CreateUser', { UserName: 'case' })).rejects.toMatchObject({
      ...{ code: 'EntityAlreadyExists', status: 409, message: 'User with name case already exists.' },
    });
  });

  it('are of one account', async () => {
    await call('CreateUser', { UserName: 'mine' });
    await expect(call('GetUser', { UserName: 'mine' }, '444455556666')).rejects.toMatchObject({ code: 'NoSuchEntity' });
    await call('CreateUser', { UserName: 'mine' }, '444455556666');
    await call('DeleteUser', { UserName: 'mine' }, '444455556666');
    expect((await call('GetUser', { UserName: 'mine' })).User.UserName).toBe('mine');
  });

  it('are listed page by page, by path, each once', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `listed-${String(i).padStart(2, '0')}`);
    await Promise.all(names.map((UserName) => call('CreateUser', { UserName, Path: '/listed/' })));
    const seen: string[] = [];
    let Marker: string | undefined;
    do {
      const page: iam.ListUsersResponse = await call('ListUsers', { PathPrefix: '/listed/', MaxItems: 5, Marker });
      seen.push(...(page.Users ?? []).map(({ UserName }) => UserName));
      expect(page.IsTruncated).toBe(page.Marker !== undefined);
      ({ Marker } = page);
    } while (Marker !== undefined);
    expect(seen).toEqual(names);
  });

  it('refuses a marker of another list or account', async () => {
    await Promise.all(['m-1', 'm-2'].map((UserName) => call('CreateUser', { UserName, Path: '/m/' })));
    const { Marker } = await call('ListUsers', { PathPrefix: '/m/', MaxItems: 1 });
    for (const attempt of [
      () => call('ListRoles', { Marker }),
      () => call('ListUsers', { PathPrefix: '/m/', Marker }, '444455556666'),
      () => call('ListUsers', { Marker: 'x' }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'ValidationError', message: 'Invalid Marker.' });
    }
  });

  it('are the caller when no name is given', async () => {
    expect((await call('GetUser', {})).User).toMatchObject({ Arn: `arn:aws:iam::${ACCOUNT}:root`, UserId: ACCOUNT });
    const carol = await identity.user('carol');
    expect(await identity.as(carol, 'GetUser')).toMatchObject({ User: { UserName: 'carol' } });
    expect(await identity.as(carol, 'ListAccessKeys')).toMatchObject({ AccessKeyMetadata: [{ UserName: 'carol' }] });
    await expect(call('DeleteAccessKey', { AccessKeyId: 'AKIAIOSFODNN7EXAMPLE' })).rejects.toMatchObject({
      message: 'Must specify userName when calling with non-User credentials',
    });
  });

  it('are deleted only when nothing is left of them', async () => {
    const UserName = 'kept';
    await call('CreateUser', { UserName });
    await call('CreateGroup', { GroupName: 'keepers' });
    await call('AddUserToGroup', { UserName, GroupName: 'keepers' });
    await call('AttachUserPolicy', { UserName, PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' });
    await call('PutUserPolicy', { UserName, PolicyName: 'p', PolicyDocument: document(ALLOW_ALL) });
    const { credentials } = await identity.credentials('CreateAccessKey', { UserName });
    const refusal = async () => {
      const error = await call('DeleteUser', { UserName }).catch((reason: unknown) => reason);
      expect(error).toMatchObject({ code: 'DeleteConflict', status: 409 });
      return (error as Error).message;
    };
    expect(await refusal()).toBe('Cannot delete entity, must delete access keys first.');
    await call('DeleteAccessKey', { UserName, AccessKeyId: credentials.AccessKeyId });
    expect(await refusal()).toBe('Cannot delete entity, must remove users from group first.');
    await call('RemoveUserFromGroup', { UserName, GroupName: 'keepers' });
    expect(await refusal()).toBe('Cannot delete entity, must detach all policies first.');
    await call('DetachUserPolicy', { UserName, PolicyArn: 'arn:aws:iam::aws:policy/ReadOnlyAccess' });
    expect(await refusal()).toBe('Cannot delete entity, must delete policies first.');
    await call('DeleteUserPolicy', { UserName, PolicyName: 'p' });
    await call('DeleteUser', { UserName });
  });
});

describe('groups', () => {
  it('have members, policies and names', async () => {
    await call('CreateGroup', { GroupName: 'Admins', Path: '/ops/' });
    await call('CreateUser', { UserName: 'member' });
    await call('AddUserToGroup', { GroupName: 'admins', UserName: 'member' });
    await call('AddUserToGroup', { GroupName: 'admins', UserName: 'member' });
    await call('UpdateGroup', { GroupName: 'Admins', NewGroupName: 'Operators' });
    const { Group, Users } = await call('GetGroup', { GroupName: 'operators' });
    expect(Group).toMatchObject({ GroupName: 'Operators', Arn: `arn:aws:iam::${ACCOUNT}:group/ops/Operators` });
    expect(Users.map(({ UserName }) => UserName)).toEqual(['member']);
    expect((await call('ListGroupsForUser', { UserName: 'member' })).Groups).toEqual([Group]);
    expect((await call('ListGroups', { PathPrefix: '/ops/' })).Groups).toEqual([Group]);
    await expect(call('DeleteGroup', { GroupName: 'operators' })).rejects.toMatchObject({ code: 'DeleteConflict' });
    await call('RemoveUserFromGroup', { GroupName: 'operators', UserName: 'member' });
    await expect(call('RemoveUserFromGroup', { GroupName: 'operators', UserName: 'member' })).rejects.toMatchObject({
      code: 'NoSuchEntity',
    });
    await call('DeleteGroup', { GroupName: 'operators' });
  });
});

describe('roles', () => {
  it('are created, described, changed and deleted', async () => {
    const { Role } = await call('CreateRole', {
      ...{ RoleName: 'backup', Path: '/svc/', AssumeRolePolicyDocument: trust, Description: 'first' },
      Tags: [{ Key: 'a', Value: '1' }],
    });
    expect(Role).toMatchObject({
      ...{ RoleName: 'backup', Arn: `arn:aws:iam::${ACCOUNT}:role/svc/backup`, MaxSessionDuration: 3600 },
      RoleId: expect.stringMatching(/^AROA/) as string,
      Tags: [{ Key: 'a', Value: '1' }],
    });
    expect(decodeURIComponent(Role.AssumeRolePolicyDocument ?? '')).toBe(trust);
    await call('UpdateRole', { RoleName: 'backup', MaxSessionDuration: 7200 });
    await call('UpdateRoleDescription', { RoleName: 'backup', Description: 'second' });
    const other = document({ Effect: 'Allow', Principal: { AWS: '444455556666' }, Action: 'sts:AssumeRole' });
    await call('UpdateAssumeRolePolicy', { RoleName: 'backup', PolicyDocument: other });
    const { Role: changed } = await call('GetRole', { RoleName: 'backup' });
    expect(changed).toMatchObject({ MaxSessionDuration: 7200, Description: 'second', RoleId: Role.RoleId });
    expect(decodeURIComponent(changed.AssumeRolePolicyDocument ?? '')).toBe(other);
    await call('DeleteRole', { RoleName: 'backup' });
    await expect(call('GetRole', { RoleName: 'backup' })).rejects.toMatchObject({
      message: 'The role with name backup cannot be found.',
    });
  });

  it.each([
    ['no JSON', '{', 'MalformedPolicyDocument'],
    ['a resource', document({ ...ALLOW_ALL, Principal: '*' }), 'MalformedPolicyDocument'],
    ['no principal', document({ Effect: 'Allow', Action: 'sts:AssumeRole' }), 'MalformedPolicyDocument'],
    [
      'a user who does not exist',
      document({
        ...{ Effect: 'Allow', Action: 'sts:AssumeRole' },
        Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/nobody` },
      }),
      'MalformedPolicyDocument',
    ],
  ])('refuse a trust policy with %s', async (_, AssumeRolePolicyDocument, code) => {
    await expect(call('CreateRole', { RoleName: 'refused', AssumeRolePolicyDocument })).rejects.toMatchObject({ code });
  });

  it('name a deleted user by unique id, whoever has the name now', async () => {
    const { User } = await call('CreateUser', { UserName: 'gone' });
    const named = document({ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: User?.Arn } });
    await call('CreateRole', { RoleName: 'trusting', AssumeRolePolicyDocument: named });
    await call('DeleteUser', { UserName: 'gone' });
    await call('CreateUser', { UserName: 'gone' });
    const { Role } = await call('GetRole', { RoleName: 'trusting' });
    const shown = JSON.parse(decodeURIComponent(Role.AssumeRolePolicyDocument ?? '')) as { Statement: object[] };
    expect(shown.Statement).toEqual([{ Effect: 'Allow', Action: 'sts:AssumeRole', Principal: { AWS: User?.UserId } }]);
  });

  it('stand in instance profiles', async () => {
    await call('CreateRole', { RoleName: 'ec2', AssumeRolePolicyDocument: trust });
    const { InstanceProfile } = await call('CreateInstanceProfile', { InstanceProfileName: 'ec2' });
    expect(InstanceProfile.Arn).toBe(`arn:aws:iam::${ACCOUNT}:instance-profile/ec2`);
    await call('AddRoleToInstanceProfile', { InstanceProfileName: 'ec2', RoleName: 'ec2' });
    const { InstanceProfiles } = await call('ListInstanceProfilesForRole', { RoleName: 'ec2' });
    expect(InstanceProfiles).toMatchObject([{ InstanceProfileName: 'ec2', Roles: [{ RoleName: 'ec2' }] }]);
    await expect(call('DeleteRole', { RoleName: 'ec2' })).rejects.toMatchObject({
      message: 'Cannot delete entity, must remove roles from instance profile first.',
    });
    const profile = { arn: InstanceProfile.Arn, instanceProfileId: InstanceProfile.InstanceProfileId };
    const role = `arn:aws:iam::${ACCOUNT}:role/ec2`;
    expect(await identity.call('FindInstanceProfile', { name: 'EC2' })).toEqual({ ...profile, roleArn: role });
    expect(await identity.call('FindInstanceProfile', { arn: profile.arn })).toEqual({ ...profile, roleArn: role });
    expect(await identity.call('FindInstanceProfile', { arn: role })).toBeNull();
    await call('TagInstanceProfile', { InstanceProfileName: 'ec2', Tags: [{ Key: 'a', Value: '1' }, { Key: 'b', Value: '' }] }); // prettier-ignore
    await call('UntagInstanceProfile', { InstanceProfileName: 'ec2', TagKeys: ['b'] });
    expect((await call('ListInstanceProfileTags', { InstanceProfileName: 'ec2' })).Tags).toEqual([
      { Key: 'a', Value: '1' },
    ]);
    await call('RemoveRoleFromInstanceProfile', { InstanceProfileName: 'ec2', RoleName: 'ec2' });
    expect(await identity.call('FindInstanceProfile', { name: 'ec2' })).toEqual({ ...profile, roleArn: null });
    await call('DeleteInstanceProfile', { InstanceProfileName: 'ec2' });
    await call('DeleteRole', { RoleName: 'ec2' });
  });
});

describe('tags', () => {
  it('are added, replaced in any case, listed and removed', async () => {
    await call('CreateUser', { UserName: 'tagged', Tags: [{ Key: 'Team', Value: 'a' }] });
    await call('TagUser', { UserName: 'tagged', Tags: [{ Key: 'team', Value: 'b' }, { Key: 'x', Value: '' }] }); // prettier-ignore
    expect((await call('ListUserTags', { UserName: 'tagged' })).Tags).toEqual([
      { Key: 'team', Value: 'b' },
      { Key: 'x', Value: '' },
    ]);
    await call('UntagUser', { UserName: 'tagged', TagKeys: ['TEAM'] });
    expect((await call('GetUser', { UserName: 'tagged' })).User.Tags).toEqual([{ Key: 'x', Value: '' }]);
    const twice = [{ Key: 'a', Value: '' }, { Key: 'A', Value: '' }]; // prettier-ignore
    await expect(call('TagUser', { UserName: 'tagged', Tags: twice })).rejects.toMatchObject({
      ...{ code: 'InvalidInput' },
      message: 'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
    });
  });
});

describe('what users sign in with beside access keys', () => {
  it('nobody has, and only of users who exist', async () => {
    await call('CreateUser', { UserName: 'plain' });
    const lists = {
      ListMFADevices: 'MFADevices',
      ListSSHPublicKeys: 'SSHPublicKeys',
      ListSigningCertificates: 'Certificates',
      ListServiceSpecificCredentials: 'ServiceSpecificCredentials',
    };
    for (const [operation, member] of Object.entries(lists) as [keyof typeof lists, string][]) {
      expect(await call(operation, { UserName: 'plain' })).toMatchObject({ [member]: [] });
      await expect(call(operation, { UserName: 'nobody' })).rejects.toMatchObject({ code: 'NoSuchEntity' });
    }
    expect(await call('ListVirtualMFADevices', {})).toMatchObject({ VirtualMFADevices: [] });
    for (const operation of ['GetLoginProfile', 'DeleteLoginProfile'] as const)
      await expect(call(operation, { UserName: 'plain' })).rejects.toMatchObject({
        ...{ code: 'NoSuchEntity', status: 404 },
        message: 'Login Profile for User plain cannot be found.',
      });
  });
});

describe('access keys', () => {
  it('are shown once, sign, and stop at once when inactive or deleted', async () => {
    const UserName = 'keys';
    await call('CreateUser', { UserName });
    const { credentials } = await identity.credentials('CreateAccessKey', { UserName });
    const { AccessKeyId } = credentials;
    expect(credentials).toMatchObject({ Status: 'Active', UserName });
    expect(AccessKeyId).toMatch(/^AKIA[A-Z2-7]{16}$/);
    expect(credentials.SecretAccessKey).toMatch(/^[A-Za-z0-9+/]{40}$/);
    expect((await identity.resolve(AccessKeyId))?.principal).toMatchObject({ type: 'User', userName: UserName });
    await call('UpdateAccessKey', { UserName, AccessKeyId, Status: 'Inactive' });
    expect(await identity.resolve(AccessKeyId)).toBeNull();
    expect((await call('ListAccessKeys', { UserName })).AccessKeyMetadata).toMatchObject([{ Status: 'Inactive' }]);
    await call('UpdateAccessKey', { UserName, AccessKeyId, Status: 'Active' });
    expect(await identity.resolve(AccessKeyId)).not.toBeNull();
    await call('DeleteAccessKey', { UserName, AccessKeyId });
    expect(await identity.resolve(AccessKeyId)).toBeNull();
    await expect(call('DeleteAccessKey', { UserName, AccessKeyId })).rejects.toMatchObject({
      message: `The Access Key with id ${AccessKeyId} cannot be found.`,
    });
  });

  it('are two at most, also when asked for all at once, and no other user may change them', async () => {
    await call('CreateUser', { UserName: 'many' });
    await call('CreateUser', { UserName: 'thief' });
    const made = await Promise.allSettled(
      Array.from({ length: 6 }, () => identity.credentials('CreateAccessKey', { UserName: 'many' })),
    );
    const fulfilled = made.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(fulfilled).toHaveLength(2);
    for (const result of made) {
      if (result.status === 'rejected') {
        expect(result.reason).toMatchObject({ message: 'Cannot exceed quota for AccessKeysPerUser: 2', status: 409 });
      }
    }
    const AccessKeyId = fulfilled[0]?.credentials.AccessKeyId ?? '';
    await expect(call('DeleteAccessKey', { UserName: 'thief', AccessKeyId })).rejects.toMatchObject({
      code: 'NoSuchEntity',
    });
  });

  it('are not answered where nobody could unseal them', async () => {
    await call('CreateUser', { UserName: 'unsealed' });
    await expect(call('CreateAccessKey', { UserName: 'unsealed' })).rejects.toThrow();
    expect((await call('ListAccessKeys', { UserName: 'unsealed' })).AccessKeyMetadata).toEqual([]);
  });
});

describe('many changes at once', () => {
  it('to one account meet no conflict', async () => {
    const names = Array.from({ length: 20 }, (_, i) => `parallel-${String(i)}`);
    await Promise.all(names.map((UserName) => call('CreateUser', { UserName, Path: '/parallel/' })));
    expect((await call('ListUsers', { PathPrefix: '/parallel/' })).Users).toHaveLength(20);
    const { SummaryMap } = await call('GetAccountSummary', {} as Record<string, never>);
    expect(SummaryMap?.['Users']).toBeGreaterThanOrEqual(20);
  });
});
