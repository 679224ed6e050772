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

describe('managed policies', () => {
  const readVolumes = document({ Effect: 'Allow', Action: 'ec2:DescribeVolumes', Resource: '*' });

  it('have versions, of which one counts', async () => {
    const { Policy } = await call('CreatePolicy', { PolicyName: 'versions', PolicyDocument: readVolumes });
    const PolicyArn = Policy?.Arn ?? '';
    expect(Policy).toMatchObject({
      ...{ Arn: `arn:aws:iam::${ACCOUNT}:policy/versions`, DefaultVersionId: 'v1', AttachmentCount: 0 },
      PolicyId: expect.stringMatching(/^ANPA/) as string,
    });
    const v2 = await call('CreatePolicyVersion', { PolicyArn, PolicyDocument: document(ALLOW_ALL) });
    expect(v2.PolicyVersion).toMatchObject({ VersionId: 'v2', IsDefaultVersion: false });
    await call('SetDefaultPolicyVersion', { PolicyArn, VersionId: 'v2' });
    const { PolicyVersion } = await call('GetPolicyVersion', { PolicyArn, VersionId: 'v2' });
    expect(PolicyVersion).toMatchObject({ IsDefaultVersion: true });
    expect(decodeURIComponent(PolicyVersion?.Document ?? '')).toBe(document(ALLOW_ALL));
    expect(PolicyVersion?.Document).not.toMatch(/[!'()*{} ]/);
    await expect(call('DeletePolicyVersion', { PolicyArn, VersionId: 'v2' })).rejects.toMatchObject({
      message: 'Cannot delete the default version of a policy.',
    });
    await expect(call('DeletePolicy', { PolicyArn })).rejects.toMatchObject({ code: 'DeleteConflict' });
    await call('DeletePolicyVersion', { PolicyArn, VersionId: 'v1' });
    expect((await call('ListPolicyVersions', { PolicyArn })).Versions?.map(({ VersionId }) => VersionId)).toEqual([
      'v2',
    ]);
    await call('DeletePolicy', { PolicyArn });
    await expect(call('GetPolicy', { PolicyArn })).rejects.toMatchObject({
      ...{ code: 'NoSuchEntity', message: `Policy ${PolicyArn} was not found.` },
    });
  });

  it('are attached, listed by whom they are attached to, and not deleted meanwhile', async () => {
    const { Policy } = await call('CreatePolicy', { PolicyName: 'attached', PolicyDocument: readVolumes });
    const PolicyArn = Policy?.Arn ?? '';
    await call('CreateUser', { UserName: 'u', PermissionsBoundary: PolicyArn });
    await call('CreateRole', { RoleName: 'r', AssumeRolePolicyDocument: trust });
    await call('CreateGroup', { GroupName: 'g' });
    await call('AttachUserPolicy', { UserName: 'u', PolicyArn });
    await call('AttachRolePolicy', { RoleName: 'r', PolicyArn });
    await call('AttachGroupPolicy', { GroupName: 'g', PolicyArn });
    expect((await call('GetPolicy', { PolicyArn })).Policy).toMatchObject({
      ...{ AttachmentCount: 3, PermissionsBoundaryUsageCount: 1 },
    });
    expect(await call('ListEntitiesForPolicy', { PolicyArn })).toMatchObject({
      PolicyUsers: [{ UserName: 'u' }],
      PolicyRoles: [{ RoleName: 'r' }],
      PolicyGroups: [{ GroupName: 'g' }],
    });
    expect((await call('ListAttachedRolePolicies', { RoleName: 'r' })).AttachedPolicies).toEqual([
      { PolicyName: 'attached', PolicyArn },
    ]);
    await expect(call('DeletePolicy', { PolicyArn })).rejects.toMatchObject({
      message: 'Cannot delete a policy attached to entities.',
    });
    await expect(call('DetachUserPolicy', { UserName: 'u', PolicyArn: `${PolicyArn}x` })).rejects.toMatchObject({
      code: 'NoSuchEntity',
    });
    await expect(call('AttachUserPolicy', { UserName: 'u', PolicyArn: `${PolicyArn}x` })).rejects.toMatchObject({
      message: `Policy ${PolicyArn}x does not exist or is not attachable.`,
    });
    await call('DetachUserPolicy', { UserName: 'u', PolicyArn });
    await call('DetachRolePolicy', { RoleName: 'r', PolicyArn });
    await call('DetachGroupPolicy', { GroupName: 'g', PolicyArn });
    await call('DeleteUserPermissionsBoundary', { UserName: 'u' });
    await call('DeletePolicy', { PolicyArn });
  });

  it('of AWS can be read and attached, and not changed', async () => {
    const PolicyArn = 'arn:aws:iam::aws:policy/AdministratorAccess';
    expect((await call('GetPolicy', { PolicyArn })).Policy).toMatchObject({ PolicyName: 'AdministratorAccess' });
    const { PolicyVersion } = await call('GetPolicyVersion', { PolicyArn, VersionId: 'v1' });
    expect(JSON.parse(decodeURIComponent(PolicyVersion?.Document ?? ''))).toEqual(JSON.parse(document(ALLOW_ALL)));
    await expect(call('DeletePolicy', { PolicyArn })).rejects.toMatchObject({ code: 'AccessDenied' });
    await expect(call('CreatePolicyVersion', { PolicyArn, PolicyDocument: document(ALLOW_ALL) })).rejects.toMatchObject(
      { code: 'AccessDenied' },
    );
  });

  it('are listed by scope, each once over all pages', async () => {
    await Promise.all(
      ['readonlyaccess', 'zzz'].map((PolicyName) => call('CreatePolicy', { PolicyName, PolicyDocument: readVolumes })),
    );
    const all = async (Scope: iam.PolicyScopeType) => {
      const seen: string[] = [];
      let Marker: string | undefined;
      do {
        const page: iam.ListPoliciesResponse = await call('ListPolicies', { Scope, MaxItems: 3, Marker });
        seen.push(...(page.Policies ?? []).map(({ Arn = '' }) => Arn));
        ({ Marker } = page);
      } while (Marker !== undefined);
      expect(new Set(seen).size).toBe(seen.length);
      return seen;
    };
    const [both, aws, own] = [await all('All'), await all('AWS'), await all('Local')];
    expect(both).toEqual([...aws, ...own]);
    expect(aws).toContain('arn:aws:iam::aws:policy/ReadOnlyAccess');
    expect(own).toEqual(expect.arrayContaining([`arn:aws:iam::${ACCOUNT}:policy/readonlyaccess`]));
  });

  it.each([
    ['a principal', document({ ...ALLOW_ALL, Principal: '*' })],
    [
      'an operator that IAM does not have',
      document({ ...ALLOW_ALL, Condition: { StringIs: { 'aws:username': 'a' } } }),
    ],
    ['no statement', '{"Version":"2012-10-17"}'],
  ])('with %s are refused', async (_, PolicyDocument) => {
    await expect(call('CreatePolicy', { PolicyName: 'bad', PolicyDocument })).rejects.toMatchObject({
      code: 'MalformedPolicyDocument',
    });
  });
});

describe('inline policies', () => {
  it('are put, read, replaced and deleted', async () => {
    await call('CreateRole', { RoleName: 'inline', AssumeRolePolicyDocument: trust });
    const PolicyDocument = document(ALLOW_ALL);
    await call('PutRolePolicy', {
      RoleName: 'inline',
      PolicyName: 'p',
      PolicyDocument: document(ALLOW_ALL, ALLOW_ALL),
    });
    await call('PutRolePolicy', { RoleName: 'inline', PolicyName: 'p', PolicyDocument });
    const read = await call('GetRolePolicy', { RoleName: 'INLINE', PolicyName: 'p' });
    expect(read).toEqual({ RoleName: 'inline', PolicyName: 'p', PolicyDocument: expect.any(String) as string });
    expect(decodeURIComponent(read.PolicyDocument)).toBe(PolicyDocument);
    expect((await call('ListRolePolicies', { RoleName: 'inline' })).PolicyNames).toEqual(['p']);
    await call('DeleteRolePolicy', { RoleName: 'inline', PolicyName: 'p' });
    await expect(call('GetRolePolicy', { RoleName: 'inline', PolicyName: 'p' })).rejects.toMatchObject({
      message: 'The role policy with name p cannot be found.',
    });
  });
});
