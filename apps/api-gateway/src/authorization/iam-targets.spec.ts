import { describe, expect, it } from 'vitest';
import { iamTargets, stsTargets } from './iam-targets.ts';

const caller = { accountId: '111122223333', region: 'eu-central-1' };
const IAM = 'arn:aws:iam::111122223333:';

const ada = { ...caller, principal: { arn: `${IAM}user/team/ada` } };
/** Only bob exists, as `/team/Bob`. */
const facts = {
  iamResource: (kind: string, name: string) =>
    Promise.resolve(
      kind === 'user' && name.toLowerCase() === 'bob' ? { arn: `${IAM}user/team/Bob`, tags: { stage: 'test' } } : null,
    ),
};

describe('what an IAM call needs', () => {
  it.each([
    ['CreateUser', { UserName: 'eve' }, `${IAM}user/eve`],
    ['CreateUser', { UserName: 'eve', Path: '/team/' }, `${IAM}user/team/eve`],
    ['CreatePolicy', { PolicyName: 'p' }, `${IAM}policy/p`],
    ['CreateRole', { RoleName: 'r', Path: '/a/b/' }, `${IAM}role/a/b/r`],
    ['DeleteUser', { UserName: 'bob' }, `${IAM}user/team/Bob`],
    ['DeleteUser', { UserName: 'nobody' }, `${IAM}user/nobody`],
    ['ListUsers', {}, `${IAM}user/*`],
    ['AttachUserPolicy', { UserName: 'bob', PolicyArn: 'arn:aws:iam::aws:policy/P' }, `${IAM}user/team/Bob`],
    ['PutRolePolicy', { RoleName: 'r', PolicyName: 'p' }, `${IAM}role/r`],
    ['AddUserToGroup', { GroupName: 'g', UserName: 'bob' }, `${IAM}group/g`],
    ['GetPolicy', { PolicyArn: `${IAM}policy/p` }, `${IAM}policy/p`],
    ['GetUser', {}, `${IAM}user/team/ada`],
    ['CreateAccessKey', {}, `${IAM}user/team/ada`],
    ['GetAccountSummary', {}, '*'],
  ])('%s %j', async (operation, input, resource) => {
    expect(await iamTargets(operation, input, ada, facts)).toMatchObject([{ action: `iam:${operation}`, resource }]);
  });

  it('is, for a role in an instance profile, to change the profile and to pass the role', async () => {
    const input = { InstanceProfileName: 'p', RoleName: 'r' };
    expect(await iamTargets('AddRoleToInstanceProfile', input, ada, facts)).toMatchObject([
      { action: 'iam:AddRoleToInstanceProfile', resource: `${IAM}instance-profile/p` },
      { action: 'iam:PassRole', resource: `${IAM}role/r`, context: { 'iam:PassedToService': 'ec2.amazonaws.com' } },
    ]);
    expect(await iamTargets('RemoveRoleFromInstanceProfile', input, ada, facts)).toMatchObject([
      { action: 'iam:RemoveRoleFromInstanceProfile', resource: `${IAM}instance-profile/p` },
    ]);
  });

  it('tells policies which policy is attached, and the tags on both sides', async () => {
    const input = { UserName: 'bob', PolicyArn: 'arn:aws:iam::aws:policy/P', Tags: [{ Key: 'a', Value: 'b' }] };
    expect((await iamTargets('AttachUserPolicy', input, ada, facts))[0]?.context).toMatchObject({
      'iam:PolicyARN': 'arn:aws:iam::aws:policy/P',
      'aws:RequestTag/a': 'b',
      'aws:TagKeys': ['a'],
      'iam:ResourceTag/stage': 'test',
      'aws:ResourceTag/stage': 'test',
    });
  });
});

describe('what an STS call needs', () => {
  it('nothing to ask who one is', () => {
    expect(stsTargets('GetCallerIdentity', {}, caller)).toEqual([]);
  });
  it('a permission to decode messages and to federate', () => {
    expect(stsTargets('DecodeAuthorizationMessage', {}, caller)).toMatchObject([{ resource: '*' }]);
    expect(stsTargets('GetFederationToken', { Name: 'bob' }, caller)).toMatchObject([
      { resource: 'arn:aws:sts::111122223333:federated-user/bob' },
    ]);
  });
});
