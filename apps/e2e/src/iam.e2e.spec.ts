import { CreateVolumeCommand, DescribeVolumesCommand, EC2Client } from '@aws-sdk/client-ec2';
import {
  AddUserToGroupCommand,
  AttachGroupPolicyCommand,
  AttachRolePolicyCommand,
  CreateAccessKeyCommand,
  CreateAccountAliasCommand,
  CreateGroupCommand,
  CreatePolicyCommand,
  CreatePolicyVersionCommand,
  CreateRoleCommand,
  CreateServiceLinkedRoleCommand,
  CreateUserCommand,
  DeleteAccessKeyCommand,
  DeleteAccountAliasCommand,
  DeleteRoleCommand,
  DeleteServiceLinkedRoleCommand,
  DeleteUserCommand,
  DeleteUserPolicyCommand,
  DetachRolePolicyCommand,
  GetAccessKeyLastUsedCommand,
  GetPolicyVersionCommand,
  GetRoleCommand,
  GetServiceLinkedRoleDeletionStatusCommand,
  GetUserCommand,
  IAMClient,
  ListAccountAliasesCommand,
  ListAttachedRolePoliciesCommand,
  ListGroupsForUserCommand,
  ListUserPoliciesCommand,
  paginateGetAccountAuthorizationDetails,
  paginateListUsers,
  PutUserPolicyCommand,
  SimulatePrincipalPolicyCommand,
  UpdateAccessKeyCommand,
} from '@aws-sdk/client-iam';
import { CreateKeyCommand, DescribeKeyCommand, GetKeyPolicyCommand, KMSClient } from '@aws-sdk/client-kms';
import {
  AssumeRoleCommand,
  type Credentials,
  DecodeAuthorizationMessageCommand,
  GetCallerIdentityCommand,
  GetFederationTokenCommand,
  GetSessionTokenCommand,
  STSClient,
} from '@aws-sdk/client-sts';
import { scanForPlaintext } from '@holdfast/plaintext-scan';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, ZONE } from './account.ts';
import { eventually, fastest, untilIs } from './clients.ts';
import { type Stack, startStack } from './stack.ts';

const ACCOUNT = '111122223333';

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({ HOLDFAST_LOG_LEVEL: 'trace' });
});
afterAll(() => stack.stop());

const settings = (credentials: Keys) => ({ endpoint: stack.endpoint, region: REGION, credentials, maxAttempts: 1 });
const root = { accessKeyId: ACCOUNT, secretAccessKey: 'test' };
const iam = (keys: Keys = root) => new IAMClient(settings(keys));
const sts = (keys: Keys = root) => new STSClient(settings(keys));
const kms = (keys: Keys = root) => new KMSClient(settings(keys));
const ec2 = (keys: Keys = root) => new EC2Client(settings(keys));
const keysOf = ({ AccessKeyId = '', SecretAccessKey = '', SessionToken }: Partial<Credentials> = {}): Keys => ({
  ...{ accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey },
  ...(SessionToken === undefined ? {} : { sessionToken: SessionToken }),
});

const policy = (Effect: string, Action: string | string[], Resource = '*') =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect, Action, Resource }] });
const trust = (AWS: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: { AWS }, Action: 'sts:AssumeRole' }],
  });

const newUser = async (UserName: string, document?: string): Promise<Keys> => {
  await iam().send(new CreateUserCommand({ UserName }));
  if (document !== undefined) {
    await iam().send(new PutUserPolicyCommand({ UserName, PolicyName: 'inline', PolicyDocument: document }));
  }
  const { AccessKey } = await iam().send(new CreateAccessKeyCommand({ UserName }));
  return keysOf(AccessKey);
};
const whoIs = (keys: Keys) => sts(keys).send(new GetCallerIdentityCommand({}));
const describeVolumes = (keys: Keys) => ec2(keys).send(new DescribeVolumesCommand({}));
const errorName = (call: () => Promise<unknown>) =>
  call().then(
    () => 'none',
    (error: Error) => error.name,
  );

describe('users', () => {
  it('sign with their own keys, which stop when they are made inactive or deleted', async () => {
    const keys = await newUser('alice');
    expect(await whoIs(keys)).toMatchObject({
      ...{ Account: ACCOUNT, Arn: `arn:aws:iam::${ACCOUNT}:user/alice` },
      UserId: expect.stringMatching(/^AIDA/) as string,
    });
    await expect(whoIs({ ...keys, secretAccessKey: 'x'.repeat(40) })).rejects.toMatchObject({
      name: 'SignatureDoesNotMatch',
    });
    const { accessKeyId: AccessKeyId } = keys;
    const code = () => errorName(() => whoIs(keys));
    const setStatus = (Status: 'Active' | 'Inactive') =>
      iam().send(new UpdateAccessKeyCommand({ UserName: 'alice', AccessKeyId, Status }));
    const end = async () => {
      await setStatus('Inactive');
      const tookMs = await untilIs('InvalidClientTokenId', code);
      await setStatus('Active');
      await untilIs('none', code);
      return tookMs;
    };
    expect(await fastest(end, 2000)).toBeLessThan(2000);
    await iam().send(new DeleteAccessKeyCommand({ UserName: 'alice', AccessKeyId }));
    await eventually(code, (name) => name === 'InvalidClientTokenId');
  });

  it('are created with what Terraform sends, and read as it reads them', async () => {
    const Tags = [{ Key: 'Name', Value: 'Bob B.' }];
    const { User } = await iam().send(new CreateUserCommand({ UserName: 'bob', Path: '/team/', Tags }));
    expect(User).toMatchObject({ UserName: 'bob', Path: '/team/', Tags, Arn: `arn:aws:iam::${ACCOUNT}:user/team/bob` });
    expect((await iam().send(new GetUserCommand({ UserName: 'bob' }))).User).toEqual(User);
    await expect(iam().send(new CreateUserCommand({ UserName: 'bob' }))).rejects.toMatchObject({
      name: 'EntityAlreadyExistsException',
      $metadata: { httpStatusCode: 409 },
    });
    await expect(iam().send(new GetUserCommand({ UserName: 'nobody' }))).rejects.toMatchObject({
      name: 'NoSuchEntityException',
      message: 'The user with name nobody cannot be found.',
      $metadata: { httpStatusCode: 404 },
    });
    await expect(iam().send(new CreateUserCommand({ UserName: 'no spaces' }))).rejects.toMatchObject({
      name: 'ValidationError',
    });
  });

  it('are listed page by page by the SDK', async () => {
    const names = Array.from({ length: 7 }, (_, i) => `page-${String(i)}`);
    for (const UserName of names) await iam().send(new CreateUserCommand({ UserName, Path: '/pages/' }));
    const seen: string[] = [];
    for await (const page of paginateListUsers({ client: iam(), pageSize: 3 }, { PathPrefix: '/pages/' })) {
      seen.push(...(page.Users ?? []).map(({ UserName }) => UserName ?? ''));
    }
    expect(seen).toEqual(names);
  });
});

describe('permissions', () => {
  it('are none without a policy, and change within a second', async () => {
    const keys = await newUser('carol');
    await expect(describeVolumes(keys)).rejects.toMatchObject({ name: 'UnauthorizedOperation' });
    const code = () => errorName(() => describeVolumes(keys));
    const Allowing = { UserName: 'carol', PolicyName: 'p', PolicyDocument: policy('Allow', 'ec2:DescribeVolumes') };
    const comeAndGo = async () => {
      await iam().send(new PutUserPolicyCommand(Allowing));
      const cameMs = await untilIs('none', code);
      expect((await iam().send(new ListUserPoliciesCommand({ UserName: 'carol' }))).PolicyNames).toEqual(['p']);
      await iam().send(new DeleteUserPolicyCommand({ UserName: 'carol', PolicyName: 'p' }));
      return Math.max(cameMs, await untilIs('UnauthorizedOperation', code));
    };
    expect(await fastest(comeAndGo, 1500)).toBeLessThan(1500);
  });

  it('come from groups and from the default version of a managed policy', async () => {
    const keys = await newUser('dave');
    await iam().send(new CreateGroupCommand({ GroupName: 'readers' }));
    await iam().send(new AddUserToGroupCommand({ GroupName: 'readers', UserName: 'dave' }));
    const document = policy('Allow', 'ec2:DescribeVolumes');
    const { Policy } = await iam().send(new CreatePolicyCommand({ PolicyName: 'reading', PolicyDocument: document }));
    const PolicyArn = Policy?.Arn;
    await iam().send(new AttachGroupPolicyCommand({ GroupName: 'readers', PolicyArn }));
    const code = () => errorName(() => describeVolumes(keys));
    await eventually(code, (name) => name === 'none');
    const { Groups } = await iam().send(new ListGroupsForUserCommand({ UserName: 'dave' }));
    expect(Groups?.map(({ GroupName }) => GroupName)).toEqual(['readers']);
    const denying = policy('Deny', 'ec2:*');
    await iam().send(new CreatePolicyVersionCommand({ PolicyArn, PolicyDocument: denying, SetAsDefault: true }));
    await eventually(code, (name) => name === 'UnauthorizedOperation');
    const { PolicyVersion } = await iam().send(new GetPolicyVersionCommand({ PolicyArn, VersionId: 'v2' }));
    expect(decodeURIComponent(PolicyVersion?.Document ?? '')).toBe(denying);
  });

  it('that were lacking are explained by the decoded message', async () => {
    const keys = await newUser('erin', policy('Allow', 'sts:DecodeAuthorizationMessage'));
    const create = new CreateVolumeCommand({ AvailabilityZone: ZONE, Size: 1 });
    const refusal = await ec2(keys).send(create).catch((error: unknown) => error as Error); // prettier-ignore
    expect(refusal).toMatchObject({ name: 'UnauthorizedOperation' });
    const EncodedMessage = /Encoded authorization failure message: (\S+)$/.exec((refusal as Error).message)?.[1];
    const { DecodedMessage } = await sts(keys).send(new DecodeAuthorizationMessageCommand({ EncodedMessage }));
    expect(JSON.parse(DecodedMessage ?? '')).toMatchObject({
      allowed: false,
      explicitDeny: false,
      context: { action: 'ec2:CreateVolume', principal: { name: 'erin' } },
    });
    const stranger = { accessKeyId: '444455556666', secretAccessKey: 'test' };
    await expect(sts(stranger).send(new DecodeAuthorizationMessageCommand({ EncodedMessage }))).rejects.toMatchObject({
      name: 'InvalidAuthorizationMessageException',
      message: 'Message is not valid',
    });
  });
});

describe('simulation', () => {
  it('says what enforcement would', async () => {
    const keys = await newUser('kim', policy('Allow', 'ec2:DescribeVolumes'));
    const PolicySourceArn = (await whoIs(keys)).Arn;
    const ActionNames = ['ec2:DescribeVolumes', 'ec2:CreateVolume'];
    const { EvaluationResults } = await iam().send(
      new SimulatePrincipalPolicyCommand({ PolicySourceArn, ActionNames }),
    );
    expect(EvaluationResults?.map(({ EvalDecision }) => EvalDecision)).toEqual(['allowed', 'implicitDeny']);
  });
});

describe('roles', () => {
  it('are assumed, work for as long as they exist, and take their sessions with them', async () => {
    const keys = await newUser('frank');
    const { Arn: userArn = '' } = await whoIs(keys);
    const AssumeRolePolicyDocument = trust(userArn);
    const { Role } = await iam().send(new CreateRoleCommand({ RoleName: 'worker', AssumeRolePolicyDocument }));
    const { Role: read } = await iam().send(new GetRoleCommand({ RoleName: 'worker' }));
    expect(decodeURIComponent(read?.AssumeRolePolicyDocument ?? '')).toBe(AssumeRolePolicyDocument);
    const PolicyArn = 'arn:aws:iam::aws:policy/AmazonEC2ReadOnlyAccess';
    await iam().send(new AttachRolePolicyCommand({ RoleName: 'worker', PolicyArn }));
    const { AttachedPolicies } = await iam().send(new ListAttachedRolePoliciesCommand({ RoleName: 'worker' }));
    expect(AttachedPolicies).toEqual([{ PolicyName: 'AmazonEC2ReadOnlyAccess', PolicyArn }]);
    const { Credentials, AssumedRoleUser } = await sts(keys).send(
      new AssumeRoleCommand({ RoleArn: Role?.Arn, RoleSessionName: 'job-1' }),
    );
    const session = keysOf(Credentials);
    expect(await whoIs(session)).toMatchObject({
      ...{ Arn: `arn:aws:sts::${ACCOUNT}:assumed-role/worker/job-1`, UserId: AssumedRoleUser?.AssumedRoleId },
    });
    expect(await errorName(() => describeVolumes(session))).toBe('none');
    await expect(ec2(session).send(new CreateVolumeCommand({ AvailabilityZone: ZONE, Size: 1 }))).rejects.toMatchObject(
      { name: 'UnauthorizedOperation' },
    );
    const { sessionToken: _, ...withoutToken } = session;
    await expect(whoIs(withoutToken)).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
    await expect(whoIs({ ...session, sessionToken: 'x' })).rejects.toMatchObject({ name: 'InvalidClientTokenId' });
    await iam().send(new DetachRolePolicyCommand({ RoleName: 'worker', PolicyArn }));
    await iam().send(new DeleteRoleCommand({ RoleName: 'worker' }));
    await eventually(() => errorName(() => whoIs(session)), (name) => name === 'InvalidClientTokenId'); // prettier-ignore
  });

  it('are not assumed by whom they do not trust, nor with a session policy more than it allows', async () => {
    const [grace, mallory] = [await newUser('grace'), await newUser('mallory', policy('Allow', '*'))];
    const { Arn = '' } = await whoIs(grace);
    const { Role } = await iam().send(
      new CreateRoleCommand({ RoleName: 'limited', AssumeRolePolicyDocument: trust(Arn) }),
    );
    const RoleArn = Role?.Arn;
    await expect(sts(mallory).send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'steal' }))).rejects.toMatchObject(
      {
        name: 'AccessDenied',
        message: `User: arn:aws:iam::${ACCOUNT}:user/mallory is not authorized to perform: sts:AssumeRole on resource: ${RoleArn ?? ''}`,
      },
    );
    const PolicyArn = 'arn:aws:iam::aws:policy/AdministratorAccess';
    await iam().send(new AttachRolePolicyCommand({ RoleName: 'limited', PolicyArn }));
    const Policy = policy('Allow', 'iam:GetUser');
    const { Credentials } = await sts(grace).send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'less', Policy }));
    const session = keysOf(Credentials);
    await expect(describeVolumes(session)).rejects.toMatchObject({ name: 'UnauthorizedOperation' });
    expect((await iam(session).send(new GetUserCommand({ UserName: 'grace' }))).User?.UserName).toBe('grace');
    await expect(
      sts(grace).send(new AssumeRoleCommand({ RoleArn, RoleSessionName: 'Session1:2' })),
    ).rejects.toMatchObject({ name: 'ValidationError', message: expect.stringContaining('roleSessionName') as string });
  });
});

describe('temporary credentials of users', () => {
  it('of GetSessionToken may what the user may, but for IAM', async () => {
    const keys = await newUser('heidi', policy('Allow', ['ec2:Describe*', 'iam:*']));
    const session = keysOf((await sts(keys).send(new GetSessionTokenCommand({ DurationSeconds: 900 }))).Credentials);
    expect((await whoIs(session)).Arn).toBe(`arn:aws:iam::${ACCOUNT}:user/heidi`);
    expect(await errorName(() => describeVolumes(session))).toBe('none');
    await expect(iam(session).send(new GetUserCommand({ UserName: 'heidi' }))).rejects.toMatchObject({
      name: 'InvalidClientTokenId',
    });
  });

  it('of GetFederationToken may what user and passed policy both allow', async () => {
    const keys = await newUser('ivan', policy('Allow', ['ec2:Describe*', 'sts:GetFederationToken']));
    const federate = async (Policy?: string) =>
      keysOf((await sts(keys).send(new GetFederationTokenCommand({ Name: 'guest', Policy }))).Credentials);
    const [none, some] = [await federate(), await federate(policy('Allow', 'ec2:*'))];
    expect((await whoIs(some)).Arn).toBe(`arn:aws:sts::${ACCOUNT}:federated-user/guest`);
    expect(await errorName(() => describeVolumes(some))).toBe('none');
    expect(await errorName(() => describeVolumes(none))).toBe('UnauthorizedOperation');
    expect(await errorName(() => ec2(some).send(new CreateVolumeCommand({ AvailabilityZone: ZONE, Size: 1 })))).toBe(
      'UnauthorizedOperation',
    );
  });
});

describe('accounts', () => {
  it('have an alias', async () => {
    const AccountAlias = 'storage-team';
    await iam().send(new CreateAccountAliasCommand({ AccountAlias }));
    expect((await iam().send(new ListAccountAliasesCommand({}))).AccountAliases).toEqual([AccountAlias]);
    await iam().send(new DeleteAccountAliasCommand({ AccountAlias }));
    expect((await iam().send(new ListAccountAliasesCommand({}))).AccountAliases).toEqual([]);
  });

  it('know when a key was last used, and for what', async () => {
    const keys = await newUser('karl', policy('Allow', 'ec2:Describe*'));
    const lastUse = async () =>
      (await iam().send(new GetAccessKeyLastUsedCommand({ AccessKeyId: keys.accessKeyId }))).AccessKeyLastUsed;
    expect(await lastUse()).toMatchObject({ Region: 'N/A', ServiceName: 'N/A' });
    await describeVolumes(keys);
    const used = await lastUse();
    expect(used).toMatchObject({ Region: REGION, ServiceName: 'ec2' });
    expect(Math.abs((used?.LastUsedDate?.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('show all that they allow', async () => {
    await newUser('liam', policy('Allow', 'ec2:*'));
    const names: (string | undefined)[] = [];
    for await (const part of paginateGetAccountAuthorizationDetails({ client: iam() }, { MaxItems: 3 })) {
      names.push(...(part.UserDetailList ?? []).map(({ UserName }) => UserName));
    }
    expect(names.filter((name) => name === 'liam')).toEqual(['liam']);
  });

  it('have roles of services', async () => {
    const { Role } = await iam().send(new CreateServiceLinkedRoleCommand({ AWSServiceName: 'dlm.amazonaws.com' }));
    const RoleName = Role?.RoleName;
    expect(Role?.Path).toBe('/aws-service-role/dlm.amazonaws.com/');
    await expect(iam().send(new DeleteRoleCommand({ RoleName }))).rejects.toMatchObject({
      name: 'UnmodifiableEntityException',
    });
    const task = await iam().send(new DeleteServiceLinkedRoleCommand({ RoleName }));
    expect((await iam().send(new GetServiceLinkedRoleDeletionStatusCommand(task))).Status).toBe('SUCCEEDED');
  });

  it('keep who is behind a session, when it was said', async () => {
    const keys = await newUser('mona', policy('Allow', ['sts:AssumeRole', 'sts:SetSourceIdentity']));
    const Principal = { AWS: ACCOUNT };
    const Statement = [{ Effect: 'Allow', Principal, Action: ['sts:AssumeRole', 'sts:SetSourceIdentity'] }];
    const AssumeRolePolicyDocument = JSON.stringify({ Version: '2012-10-17', Statement });
    const { Role } = await iam().send(new CreateRoleCommand({ RoleName: 'sourced', AssumeRolePolicyDocument }));
    const request = { RoleArn: Role?.Arn, RoleSessionName: 'night', SourceIdentity: 'mona' };
    expect((await sts(keys).send(new AssumeRoleCommand(request))).SourceIdentity).toBe('mona');
  });

  it('give a user who is made again nothing of what a key policy gave the one before', async () => {
    const keys = await newUser('nina');
    const nina = `arn:aws:iam::${ACCOUNT}:user/nina`;
    const statement = (AWS: string, Action: string) => ({ Effect: 'Allow', Principal: { AWS }, Action, Resource: '*' });
    const policyOf = (...names: string[]) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [statement(ACCOUNT, 'kms:*'), ...names.map((name) => statement(name, 'kms:DescribeKey'))],
      });
    const { KeyMetadata } = await kms().send(new CreateKeyCommand({ Policy: policyOf(nina) }));
    const KeyId = KeyMetadata?.KeyId;
    await kms(keys).send(new DescribeKeyCommand({ KeyId }));
    await iam().send(new DeleteAccessKeyCommand({ UserName: 'nina', AccessKeyId: keys.accessKeyId }));
    const { User: before } = await iam().send(new GetUserCommand({ UserName: 'nina' }));
    await iam().send(new DeleteUserCommand({ UserName: 'nina' }));
    const again = await newUser('nina');
    await expect(kms(again).send(new DescribeKeyCommand({ KeyId }))).rejects.toMatchObject({
      name: 'AccessDeniedException',
    });
    const { Policy } = await kms().send(new GetKeyPolicyCommand({ KeyId }));
    expect(Policy).toBe(policyOf(before?.UserId ?? ''));
  });
});

describe('after a restart', () => {
  it('users and sessions are as they were, and their secrets are in no file', async () => {
    const keys = await newUser('judy', policy('Allow', 'ec2:Describe*'));
    const { Credentials } = await sts(keys).send(new GetSessionTokenCommand({}));
    const session = keysOf(Credentials);
    await stack.terminate();
    await stack.restart();
    expect(await errorName(() => describeVolumes(keys))).toBe('none');
    expect(await errorName(() => describeVolumes(session))).toBe('none');
    const secrets = [keys.secretAccessKey, session.secretAccessKey, session.sessionToken ?? ''];
    const spellings = secrets.flatMap((secret) => [
      Buffer.from(secret),
      Buffer.from(Buffer.from(secret).toString('hex')),
      Buffer.from(Buffer.from(secret).toString('base64').replaceAll('=', '')),
    ]);
    expect((await scanForPlaintext(stack.home, spellings)).found).toEqual([]);
    // The search does find what is there.
    expect((await scanForPlaintext(stack.home, [Buffer.from(keys.accessKeyId)])).found.length).toBeGreaterThan(0);
  });
});
