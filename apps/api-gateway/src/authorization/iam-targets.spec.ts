import { describe, expect, it } from 'vitest';
import { ebsTargets, iamTargets, stsTargets } from './iam-targets.ts';

const caller = { accountId: '111122223333', region: 'eu-central-1' };
const IAM = 'arn:aws:iam::111122223333:';

describe('what an IAM call needs', () => {
  it.each([
    ['CreateUser', { UserName: 'ada' }, `${IAM}user/ada`],
    ['ListUsers', {}, `${IAM}user/*`],
    ['AttachUserPolicy', { UserName: 'ada', PolicyArn: 'arn:aws:iam::aws:policy/P' }, `${IAM}user/ada`],
    ['PutRolePolicy', { RoleName: 'r', PolicyName: 'p' }, `${IAM}role/r`],
    ['AddUserToGroup', { GroupName: 'g', UserName: 'ada' }, `${IAM}group/g`],
    ['CreatePolicy', { PolicyName: 'p' }, `${IAM}policy/p`],
    ['GetPolicy', { PolicyArn: `${IAM}policy/p` }, `${IAM}policy/p`],
    ['GetAccountSummary', {}, '*'],
  ])('%s %j', (operation, input, resource) => {
    expect(iamTargets(operation, input, caller)).toMatchObject([{ action: `iam:${operation}`, resource }]);
  });

  it('tells policies which policy is attached', () => {
    const input = { UserName: 'ada', PolicyArn: 'arn:aws:iam::aws:policy/P' };
    expect(iamTargets('AttachUserPolicy', input, caller)[0]?.context).toEqual({
      'iam:PolicyARN': 'arn:aws:iam::aws:policy/P',
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

describe('what a call of EBS direct needs', () => {
  it('its action on the snapshot', () => {
    expect(ebsTargets('GetSnapshotBlock', { SnapshotId: 'snap-1' }, caller)).toMatchObject([
      { action: 'ebs:GetSnapshotBlock', resource: 'arn:aws:ec2:eu-central-1::snapshot/snap-1' },
    ]);
    expect(ebsTargets('ListChangedBlocks', { SecondSnapshotId: 'snap-2' }, caller)).toMatchObject([
      { resource: 'arn:aws:ec2:eu-central-1::snapshot/snap-2' },
    ]);
  });
});
