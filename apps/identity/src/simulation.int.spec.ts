import type { iam } from '@holdfast/aws-protocol';
import { resetServices } from '@holdfast/service-kit';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { ACCOUNT, ALLOW_ALL, document, RunningIdentity } from './testing/running-identity.ts';

let identity: RunningIdentity;
beforeAll(async () => {
  identity = await RunningIdentity.start(inject('postgresAdminUrl'));
  await identity.call('CreatePolicy', {
    ...{ PolicyName: 'boundary', PolicyDocument: document({ Effect: 'Allow', Action: 'ec2:*', Resource: '*' }) },
  });
});
afterAll(() => identity.close());

const simulate = async (name: 'SimulatePrincipalPolicy' | 'SimulateCustomPolicy', input: object) =>
  (await identity.call<iam.SimulatePolicyResponse>(name, input)).EvaluationResults ?? [];
const decisions = (results: readonly iam.EvaluationResult[]) => results.map(({ EvalDecision }) => EvalDecision);

describe('SimulatePrincipalPolicy', () => {
  it("asks a user's own and its groups' policies, and the boundary", async () => {
    await identity.call('CreateUser', {
      ...{ UserName: 'sim', PermissionsBoundary: `arn:aws:iam::${ACCOUNT}:policy/boundary` },
    });
    await identity.call('CreateGroup', { GroupName: 'g' });
    await identity.call('AddUserToGroup', { GroupName: 'g', UserName: 'sim' });
    await identity.call('PutGroupPolicy', { GroupName: 'g', PolicyName: 'all', PolicyDocument: document(ALLOW_ALL) });
    const deny = { Effect: 'Deny', Action: 'ec2:DeleteVolume', Resource: '*' };
    await identity.call('PutUserPolicy', { UserName: 'sim', PolicyName: 'deny', PolicyDocument: document(deny) });
    const results = await simulate('SimulatePrincipalPolicy', {
      PolicySourceArn: `arn:aws:iam::${ACCOUNT}:user/sim`,
      ActionNames: ['ec2:CreateVolume', 'ec2:DeleteVolume', 'kms:Decrypt'],
    });
    expect(decisions(results)).toEqual(['allowed', 'explicitDeny', 'implicitDeny']);
    expect(results[0]).toMatchObject({
      ...{ EvalActionName: 'ec2:CreateVolume', EvalResourceName: '*' },
      MatchedStatements: [{ SourcePolicyId: 'group_g_all', SourcePolicyType: 'group' }],
      PermissionsBoundaryDecisionDetail: { AllowedByPermissionsBoundary: true },
    });
    expect(results[1]?.MatchedStatements).toEqual([{ SourcePolicyId: 'user_sim_deny', SourcePolicyType: 'user' }]);
    expect(results[2]?.PermissionsBoundaryDecisionDetail).toEqual({ AllowedByPermissionsBoundary: false });
  });

  it('takes further policies, and refuses what is no user, group or role of the account', async () => {
    await identity.call('CreateGroup', { GroupName: 'empty' });
    const PolicySourceArn = `arn:aws:iam::${ACCOUNT}:group/empty`;
    const ask = (more: object) =>
      simulate('SimulatePrincipalPolicy', { PolicySourceArn, ActionNames: ['ec2:CreateVolume'], ...more });
    expect(decisions(await ask({}))).toEqual(['implicitDeny']);
    expect(decisions(await ask({ PolicyInputList: [document(ALLOW_ALL)] }))).toEqual(['allowed']);
    await expect(ask({ PolicySourceArn: `${PolicySourceArn}x` })).rejects.toMatchObject({ code: 'NoSuchEntity' });
    await expect(ask({ PolicySourceArn: 'arn:aws:iam::444455556666:user/x' })).rejects.toMatchObject({
      ...{ code: 'InvalidInput' },
    });
  });
});

describe('SimulateCustomPolicy', () => {
  const ask = (statement: object, more: object) =>
    simulate('SimulateCustomPolicy', {
      PolicyInputList: [document(statement)],
      ActionNames: ['ec2:CreateVolume'],
      ...more,
    });

  it('decides each action on each resource', async () => {
    const ResourceArns = ['vol-1', 'vol-2'].map((id) => `arn:aws:ec2:eu-central-1:${ACCOUNT}:volume/${id}`);
    const results = await ask(
      { Effect: 'Allow', Action: 'ec2:*', Resource: ResourceArns[0] },
      { ActionNames: ['ec2:AttachVolume', 'ec2:DeleteVolume'], ResourceArns },
    );
    expect(decisions(results)).toEqual(['allowed', 'implicitDeny', 'allowed', 'implicitDeny']);
    expect(results.map(({ EvalResourceName }) => EvalResourceName)).toEqual([...ResourceArns, ...ResourceArns]);
  });

  it('takes the context as it is given, and names the keys that are missing', async () => {
    const statement = { ...ALLOW_ALL, Condition: { Bool: { 'ec2:Encrypted': 'true' } } };
    const [without] = await ask(statement, {});
    expect(without).toMatchObject({ EvalDecision: 'implicitDeny', MissingContextValues: ['ec2:Encrypted'] });
    const entry = (value: string) => ({
      ContextEntries: [{ ContextKeyName: 'ec2:Encrypted', ContextKeyValues: [value], ContextKeyType: 'boolean' }],
    });
    expect(decisions(await ask(statement, entry('true')))).toEqual(['allowed']);
    expect(decisions(await ask(statement, entry('false')))).toEqual(['implicitDeny']);
  });

  it.each([
    [{ ActionNames: ['DescribeVolumes'] }, 'InvalidInput'],
    [{ PolicyInputList: ['{'] }, 'InvalidInput'],
    [{ ResourceHandlingOption: 'EC2-VPC-EBS' }, 'ValidationError'],
    [{ CallerArn: `arn:aws:iam::${ACCOUNT}:role/x` }, 'InvalidInput'],
  ])('refuses %j', async (more, code) => {
    await expect(ask(ALLOW_ALL, more)).rejects.toMatchObject({ code });
  });
});

describe('a development reset', () => {
  it('forgets everybody, and begins anew', async () => {
    const before = await identity.user('again');
    await resetServices(identity.stack.bus.connection, ['identity']);
    expect(await identity.resolve(before.accessKeyId ?? '')).toBeNull();
    expect(await identity.call('GetPrincipalPolicies', { principal: before })).toBeNull();
    const after = await identity.user('again');
    expect(after.principalId).not.toBe(before.principalId);
    expect(await identity.call<iam.ListUsersResponse>('ListUsers')).toMatchObject({ Users: [{ UserName: 'again' }] });
  });
});
