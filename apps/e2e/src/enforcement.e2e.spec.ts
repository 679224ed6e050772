import * as ebs from '@aws-sdk/client-ebs';
import * as ec2 from '@aws-sdk/client-ec2';
import * as iam from '@aws-sdk/client-iam';
import * as kms from '@aws-sdk/client-kms';
import * as sts from '@aws-sdk/client-sts';
import { operations, type ServiceId } from '@holdfast/aws-protocol';
import { RbinClient, rbinCommand } from '@holdfast/aws-protocol/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { minimalInput } from './minimal-input.ts';
import { presigned } from './presigned.ts';
import { type Stack, startStack } from './stack.ts';

// Every operation that has an answer, by every form of credential: without a policy the answer is no.

const ACCOUNT = '111122223333';
const ROOT = { accessKeyId: ACCOUNT, secretAccessKey: 'test' };

interface Keys {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken?: string;
}

interface Client {
  send(command: unknown): Promise<unknown>;
}
type Module = Record<string, new (input: unknown) => unknown>;

const rbinModule: Module = Object.fromEntries(
  [...operations('rbin').keys()].map((name) => [`${name}Command`, rbinCommand(name) as Module[string]]),
);

const SERVICES: Readonly<Record<string, { module: Module; client: (keys: Keys) => Client }>> = {
  ebs: { module: ebs as never, client: (keys) => new ebs.EBSClient(settings(keys)) },
  ec2: { module: ec2 as never, client: (keys) => new ec2.EC2Client(settings(keys)) },
  iam: { module: iam as never, client: (keys) => new iam.IAMClient(settings(keys)) },
  kms: { module: kms as never, client: (keys) => new kms.KMSClient(settings(keys)) },
  rbin: { module: rbinModule, client: (keys) => new RbinClient(settings(keys)) },
  sts: { module: sts as never, client: (keys) => new sts.STSClient(settings(keys)) },
};

/**
 * What needs no permission of the caller's own: who one is, one's own session, and what another proof than a policy decides
 * (a role's trust policy, a grant's token).
 */
const FREE = new Set(['sts GetCallerIdentity', 'sts GetSessionToken', 'sts GetAccessKeyInfo']);
/** The last: official clients don't sign these calls, and unsigned ones are refused. */
const DENIALS = new Set([
  'AccessDenied',
  'AccessDeniedException',
  'UnauthorizedOperation',
  'MissingAuthenticationToken',
]);
const UNSUPPORTED = new Set(['UnsupportedOperation', 'UnsupportedOperationException']);

let stack: Stack;
let resources: Parameters<typeof minimalInput>[2];
let credentials: Record<string, Keys>;

const settings = (keys: Keys) => ({ endpoint: stack.endpoint, region: REGION, credentials: keys, maxAttempts: 1 });
const keysOf = ({ AccessKeyId = '', SecretAccessKey = '', SessionToken }: Partial<sts.Credentials>): Keys => ({
  accessKeyId: AccessKeyId,
  secretAccessKey: SecretAccessKey,
  ...(SessionToken === undefined ? {} : { sessionToken: SessionToken }),
});

const newUser = async (UserName: string): Promise<Keys> => {
  const root = new iam.IAMClient(settings(ROOT));
  await root.send(new iam.CreateUserCommand({ UserName }));
  const { AccessKey } = await root.send(new iam.CreateAccessKeyCommand({ UserName }));
  return { accessKeyId: AccessKey?.AccessKeyId ?? '', secretAccessKey: AccessKey?.SecretAccessKey ?? '' };
};

/** A user, its session, a role's session and a federated user: none with a policy that allows anything. */
const powerless = async (): Promise<Record<string, Keys>> => {
  const root = new iam.IAMClient(settings(ROOT));
  const trust = {
    Statement: { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:user/helper` }, Action: 'sts:AssumeRole' },
  };
  const allow = { Statement: { Effect: 'Allow', Action: 'sts:*', Resource: '*' } };
  const [user, helper] = [await newUser('powerless'), await newUser('helper')];
  await root.send(
    new iam.PutUserPolicyCommand({ UserName: 'helper', PolicyName: 'p', PolicyDocument: JSON.stringify(allow) }),
  );
  const role = await root.send(
    new iam.CreateRoleCommand({ RoleName: 'powerless', AssumeRolePolicyDocument: JSON.stringify(trust) }),
  );
  const asHelper = new sts.STSClient(settings(helper));
  const assumed = await eventually(
    () =>
      asHelper.send(new sts.AssumeRoleCommand({ RoleArn: role.Role?.Arn, RoleSessionName: 'test' })).catch(() => null),
    (answer) => answer !== null,
  );
  const federated = await asHelper.send(new sts.GetFederationTokenCommand({ Name: 'powerless' }));
  const session = await new sts.STSClient(settings(user)).send(new sts.GetSessionTokenCommand({}));
  return {
    user,
    session: keysOf(session.Credentials ?? {}),
    role: keysOf(assumed?.Credentials ?? {}),
    federation: keysOf(federated.Credentials ?? {}),
  };
};

/** What requests name has to be there, or its absence would be what refuses them. */
const existing = async () => {
  const account = new TestAccount(stack);
  const keyArn = await account.newKey();
  await account.kms.send(new kms.CreateAliasCommand({ AliasName: 'alias/some-name', TargetKeyId: keyArn }));
  const encrypted = await account.kms.send(new kms.EncryptCommand({ KeyId: keyArn, Plaintext: Buffer.from('x') }));
  const grant = await account.kms.send(
    new kms.CreateGrantCommand({
      KeyId: keyArn,
      GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`,
      Operations: ['Decrypt'],
    }),
  );
  const { CiphertextBlob: ciphertextBlob = new Uint8Array() } = encrypted;
  const { VolumeId: volumeId } = await account.volume({ Size: 1 });
  const { SnapshotId: snapshotId = '' } = await account.ec2.send(new ec2.CreateSnapshotCommand({ VolumeId: volumeId }));
  const names = { grantId: grant.GrantId ?? '', volumeId, snapshotId, accountId: ACCOUNT, region: REGION };
  return { keyArn, ciphertextBlob, ...names };
};

beforeAll(async () => {
  stack = await startStack();
  resources = await existing();
  credentials = await powerless();
});
afterAll(() => stack.stop());

/** The name of the error that an operation is answered with, or `answered`. */
const outcome = async (service: string, operation: string, keys: Keys): Promise<string> => {
  const { module, client } = SERVICES[service] ?? { module: {}, client: () => ({ send: () => Promise.resolve() }) };
  const Command = module[`${operation}Command`];
  if (Command === undefined) return 'UnsupportedOperation'; // The official client does not know it either.
  const input = minimalInput(service as ServiceId, operation, resources);
  return client(keys)
    .send(new Command(input))
    .then(
      () => 'answered',
      (error: Error) => error.name,
    );
};

describe.each(['user', 'session', 'role', 'federation'])('a %s without any permission', (form) => {
  it.each(Object.keys(SERVICES))('is denied every operation of %s', async (service) => {
    const keys = credentials[form];
    if (keys === undefined) throw new Error(`no credentials of a ${form}`);
    const notDenied: string[] = [];
    let denied = 0;
    for (const operation of operations(service as ServiceId).keys()) {
      if (FREE.has(`${service} ${operation}`)) continue;
      const name = await outcome(service, operation, keys);
      if (DENIALS.has(name)) denied++;
      else if (!UNSUPPORTED.has(name)) notDenied.push(`${operation}: ${name}`);
    }
    expect(notDenied).toEqual([]);
    expect(denied).toBeGreaterThan(0);
  });
});

describe('what is wrong with a call', () => {
  const missing = { volume: 'vol-0123456789abcdef0', snapshot: 'snap-0123456789abcdef0' };
  const share = (SnapshotId: string, DryRun = false) =>
    new ec2.ModifySnapshotAttributeCommand({
      SnapshotId,
      DryRun,
      CreateVolumePermission: { Add: [{ UserId: ACCOUNT }] },
    });
  const copy = (input: Partial<ec2.CopySnapshotCommandInput>) =>
    new ec2.CopySnapshotCommand({ SourceSnapshotId: missing.snapshot, SourceRegion: REGION, ...input });
  const create = (input: Partial<ec2.CreateVolumeCommandInput>) =>
    new ec2.CreateVolumeCommand({ AvailabilityZone: ZONE, Size: 1, ...input });

  const errorOf = (keys: Keys, command: unknown) =>
    new ec2.EC2Client(settings(keys)).send(command as ec2.DeleteVolumeCommand).then(
      () => 'none',
      (error: Error) => error.name,
    );

  it('shows before the want of permission where EC2 looks at it first, and permissions show nothing more', async () => {
    const { volumeId: volume, snapshotId: snapshot } = resources;
    const cases = [
      [create({ AvailabilityZone: 'mars-1a' }), 'InvalidZone.NotFound', 'InvalidZone.NotFound'],
      [
        create({ VolumeType: 'io1', Iops: 1_000_000_000, DryRun: true }),
        'InvalidParameterValue',
        'InvalidParameterValue',
      ],
      [create({ SnapshotId: missing.snapshot }), 'InvalidSnapshot.NotFound', 'InvalidSnapshot.NotFound'],
      [create({ DryRun: true }), 'UnauthorizedOperation', 'DryRunOperation'],
      [create({ DryRun: true, KmsKeyId: 'alias/x' }), 'UnauthorizedOperation', 'DryRunOperation'],
      [new ec2.DeleteVolumeCommand({ VolumeId: missing.volume }), 'InvalidVolume.NotFound', 'InvalidVolume.NotFound'],
      [new ec2.DeleteVolumeCommand({ VolumeId: volume, DryRun: true }), 'UnauthorizedOperation', 'DryRunOperation'],
      [copy({ SourceRegion: 'mars-1' }), 'InvalidRegion', 'InvalidRegion'],
      [copy({ DryRun: true, KmsKeyId: 'alias/x' }), 'UnauthorizedOperation', 'DryRunOperation'],
      [share(missing.snapshot), 'InvalidSnapshot.NotFound', 'InvalidSnapshot.NotFound'],
      [share(missing.snapshot, true), 'UnauthorizedOperation', 'DryRunOperation'],
      [share(snapshot, true), 'UnauthorizedOperation', 'DryRunOperation'],
      [
        new ec2.ModifyVolumeCommand({ VolumeId: missing.volume, Size: 2 }),
        'UnauthorizedOperation',
        'InvalidVolume.NotFound',
      ],
      [new ec2.CreateSnapshotCommand({ VolumeId: missing.volume }), 'UnauthorizedOperation', 'InvalidVolume.NotFound'],
    ] as const;
    for (const [command, refused, allowed] of cases) {
      expect([command.input, await errorOf(credentials['user'] ?? ROOT, command)]).toEqual([command.input, refused]);
      expect([command.input, await errorOf(ROOT, command)]).toEqual([command.input, allowed]);
    }
    // Another account is told of neither that it is there.
    const stranger = { accessKeyId: '444455556666', secretAccessKey: 'test' };
    for (const command of [new ec2.DeleteVolumeCommand({ VolumeId: volume }), share(snapshot)])
      expect(await errorOf(stranger, command)).toMatch(/NotFound$/);
  });
});

describe('a presigned URL of a user without any permission', () => {
  it('is denied', async () => {
    const url = await presigned(stack.endpoint, credentials['user'] ?? ROOT, 'ec2', {
      Action: 'DescribeVolumes',
      Version: '2016-11-15',
    });
    const response = await fetch(url);
    expect([response.status, await response.text()]).toEqual([
      403,
      expect.stringContaining('<Code>UnauthorizedOperation</Code>'),
    ]);
    const allowed = await presigned(stack.endpoint, ROOT, 'ec2', { Action: 'DescribeVolumes', Version: '2016-11-15' });
    expect((await fetch(allowed)).status).toBe(200);
  });
});
