import * as ebs from '@aws-sdk/client-ebs';
import * as ec2 from '@aws-sdk/client-ec2';
import * as iam from '@aws-sdk/client-iam';
import * as kms from '@aws-sdk/client-kms';
import { KMS_USES, type KmsStep, kmsStepsOf } from '@holdfast/ec2';
import type { DecisionRecord } from '@holdfast/iam';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newAccountId, REGION, TestAccount } from './account.ts';
import {
  type Ground,
  PERMISSION_CASES,
  type PermissionCase,
  snapshotOfOneBlock,
  type User,
} from './permission-cases.ts';
import { sharedStack } from './stack.ts';

// For each row of the table of what EBS does at KMS: a user with exactly these permissions may, and without any one of them
// the step that needs it is refused, and none before it.

const ACCOUNT = newAccountId();
const ROOT = { accessKeyId: ACCOUNT, secretAccessKey: 'test' };

let stack: ReturnType<typeof sharedStack>;
let ground: Ground;
let root: iam.IAMClient;
let audit: pg.Pool;

const settings = (credentials: typeof ROOT) => ({
  ...{ endpoint: stack.endpoint, region: REGION, credentials, maxAttempts: 1 },
});

beforeAll(async () => {
  stack = sharedStack();
  root = new iam.IAMClient(settings(ROOT));
  const account = new TestAccount(stack, ACCOUNT);
  const rootEbs = new ebs.EBSClient(settings(ROOT));
  const { databases } = JSON.parse(await readFile(join(stack.home, 'stack.json'), 'utf8')) as {
    databases: Record<string, { serviceUrl: string }>;
  };
  audit = new pg.Pool({ connectionString: databases['audit']?.serviceUrl, max: 2 });
  audit.on('error', () => undefined);
  const [keyA, keyB, instanceId] = await Promise.all([account.newKey(), account.newKey(), account.launch()]);
  const snapshotId = await snapshotOfOneBlock(rootEbs, keyA);
  await account.snapshotSettled(snapshotId);
  ground = { root: account, rootEbs, keyA, keyB, snapshotId, instanceId, shared: await sharedSnapshot() };
});
afterAll(async () => {
  await audit.end();
});

/** What another account lets this one use: a snapshot and its key. */
const sharedSnapshot = async (): Promise<Ground['shared']> => {
  const other = new TestAccount(stack, newAccountId());
  const accounts = [other.accountId, ACCOUNT].map((accountId) => `arn:aws:iam::${accountId}:root`);
  const Statement = [{ Effect: 'Allow', Principal: { AWS: accounts }, Action: 'kms:*', Resource: '*' }];
  const { KeyMetadata } = await other.kms.send(new kms.CreateKeyCommand({ Policy: JSON.stringify({ Statement }) }));
  const key = KeyMetadata?.Arn ?? '';
  const credentials = { accessKeyId: other.accountId, secretAccessKey: 'test' };
  const snapshotId = await snapshotOfOneBlock(new ebs.EBSClient(settings(credentials)), key);
  await other.snapshotSettled(snapshotId);
  const CreateVolumePermission = { Add: [{ UserId: ACCOUNT }] };
  await other.ec2.send(new ec2.ModifySnapshotAttributeCommand({ SnapshotId: snapshotId, CreateVolumePermission }));
  return { key, snapshotId };
};

let users = 0;

/** May call EC2 and EBS as it likes, and of KMS just this. */
const userWith = (steps: readonly KmsStep[], keyOf: (step: KmsStep) => string): Promise<User> => {
  users += 1;
  const UserName = `user-${String(users)}`;
  return userWhoMay(
    UserName,
    steps.map((step) => ({ Action: `kms:${step.action}`, Resource: keyOf(step) })),
  );
};

const userWhoMay = async (UserName: string, allowed: readonly object[]): Promise<User> => {
  const statements = allowed.map((statement) => ({ Effect: 'Allow', ...statement }));
  const policy = { Statement: [{ Effect: 'Allow', Action: ['ec2:*', 'ebs:*'], Resource: '*' }, ...statements] };
  await root.send(new iam.CreateUserCommand({ UserName }));
  await root.send(new iam.PutUserPolicyCommand({ UserName, PolicyName: 'p', PolicyDocument: JSON.stringify(policy) }));
  const { AccessKey } = await root.send(new iam.CreateAccessKeyCommand({ UserName }));
  const { AccessKeyId: accessKeyId = '', SecretAccessKey: secretAccessKey = '' } = AccessKey ?? {};
  const own = settings({ accessKeyId, secretAccessKey });
  return { ec2: new ec2.EC2Client(own), ebs: new ebs.EBSClient(own), kms: new kms.KMSClient(own) };
};

/** The first refusal that was kept of a request, as `<action> <key>`. */
const firstRefusal = async (requestId: string): Promise<string | undefined> => {
  const { rows } = await audit.query<{ record: string }>(
    'SELECT record FROM decisions WHERE request_id = $1 ORDER BY at, position',
    [requestId],
  );
  const refused = rows.map(({ record }) => JSON.parse(record) as DecisionRecord).find(({ allowed }) => !allowed);
  const step = refused?.steps.at(-1);
  return step?.step === 'policies' ? `${step.action} ${step.resource}` : undefined;
};

const stepsOf = (operation: string, when: string, and: PermissionCase['and']): readonly KmsStep[] => {
  const none = KMS_USES.some(({ operations, steps }) => operations.includes(operation) && steps.length === 0);
  const steps = none ? [] : [...(and ? kmsStepsOf(...and) : []), ...kmsStepsOf(operation, when)];
  return [...new Map(steps.map((step) => [`${step.on} ${step.action}`, step])).values()];
};

const title = ({ operation, when }: PermissionCase): string => `${operation} ${when}`.trim();

it('has a case for each row that needs a permission', () => {
  const cased = new Set(PERMISSION_CASES.map(title));
  const rows = KMS_USES.filter(({ steps }) => steps.length > 0);
  const uncased = rows.filter(
    ({ operations, when }) => !operations.some((operation) => cased.has(`${operation} ${when}`.trim())),
  );
  expect(uncased).toEqual([]);
});

describe.each(PERMISSION_CASES.map((permissionCase) => [title(permissionCase), permissionCase] as const))(
  '%s',
  (_, { operation, when, and, sameKey = false, sharedKey = false, run }) => {
    const steps = stepsOf(operation, when, and);
    const keyOf = ({ on }: KmsStep): string => {
      if (sharedKey) return ground.shared.key;
      return on === 'source' || sameKey ? ground.keyA : ground.keyB;
    };

    it('needs what the table says, all of it and no more', async () => {
      const all = userWith(steps, keyOf).then((user) => run(user, ground, 0));
      const without = steps.map(async (missing, index) => {
        const user = await userWith(
          steps.filter((step) => step !== missing),
          keyOf,
        );
        const { requestId, failure } = await run(user, ground, index + 1);
        return { failed: failure !== null, refused: await firstRefusal(requestId) };
      });
      expect((await all).failure).toBeNull();
      expect(await Promise.all(without)).toEqual(
        steps.map((missing) => ({ failed: true, refused: `kms:${missing.action} ${keyOf(missing)}` })),
      );
    });
  },
);

describe('permissions that hold for what EBS does, and for nothing else', () => {
  const attach = PERMISSION_CASES.find(({ operation }) => operation === 'AttachVolume');
  const create = PERMISSION_CASES.find(({ operation }) => operation === 'CreateVolume');
  const grant = () => ({
    KeyId: ground.keyB,
    GranteePrincipal: `arn:aws:iam::${ACCOUNT}:root`,
    Operations: ['Decrypt' as const],
  });

  it('kms:GrantIsForAWSResource lets a user attach a volume, and give no grant of its own', async () => {
    const Condition = { Bool: { 'kms:GrantIsForAWSResource': 'true' } };
    const user = await userWhoMay('for-resources', [{ Action: 'kms:CreateGrant', Resource: ground.keyB, Condition }]);
    expect(await attach?.run(user, ground, 20)).toMatchObject({ failure: null });
    await expect(user.kms.send(new kms.CreateGrantCommand(grant()))).rejects.toThrow('not authorized');
  });

  it('kms:ViaService lets a user use a key through EC2, and not by itself', async () => {
    const Condition = { StringEquals: { 'kms:ViaService': `ec2.${REGION}.amazonaws.com` } };
    const user = await userWhoMay('through-ec2', [{ Action: 'kms:*', Resource: ground.keyB, Condition }]);
    expect(await create?.run(user, ground, 0)).toMatchObject({ failure: null });
    const direct = new kms.GenerateDataKeyWithoutPlaintextCommand({ KeyId: ground.keyB, NumberOfBytes: 64 });
    await expect(user.kms.send(direct)).rejects.toThrow('not authorized');
  });
});

describe('a role that an instance is launched with', () => {
  const trust = {
    Statement: { Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' },
  };
  const run = async (user: User, name: string) => {
    const { Images } = await ground.root.ec2.send(new ec2.DescribeImagesCommand({ Owners: ['amazon'] }));
    const input = { ImageId: Images?.[0]?.ImageId, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 } as const;
    return user.ec2.send(new ec2.RunInstancesCommand({ ...input, IamInstanceProfile: { Name: name } }));
  };

  it('is passed to EC2 by whoever may pass it there, and by nobody else', async () => {
    for (const name of ['web', 'admin']) {
      const RoleName = `${name}-role`;
      await root.send(new iam.CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: JSON.stringify(trust) }));
      await root.send(new iam.CreateInstanceProfileCommand({ InstanceProfileName: name }));
      await root.send(new iam.AddRoleToInstanceProfileCommand({ InstanceProfileName: name, RoleName }));
    }
    const Condition = { StringEquals: { 'iam:PassedToService': 'ec2.amazonaws.com' } };
    const Resource = `arn:aws:iam::${ACCOUNT}:role/web-role`;
    const user = await userWhoMay('passes-one', [{ Action: 'iam:PassRole', Resource, Condition }]);
    const { Instances } = await run(user, 'web');
    const InstanceId = Instances?.[0]?.InstanceId ?? '';
    const Arn = `arn:aws:iam::${ACCOUNT}:instance-profile/web`;
    expect(Instances?.[0]?.IamInstanceProfile).toMatchObject({ Arn });
    const refused = { name: 'UnauthorizedOperation', message: expect.stringContaining('iam:PassRole') as string };
    await expect(run(user, 'admin')).rejects.toMatchObject(refused);
    await expect(run(user, 'nobody')).rejects.toMatchObject({ name: 'InvalidParameterValue' });
    // Nor can what it has be changed for what may not be passed.
    const described = new ec2.DescribeIamInstanceProfileAssociationsCommand({
      Filters: [{ Name: 'instance-id', Values: [InstanceId] }],
    });
    const { IamInstanceProfileAssociations } = await user.ec2.send(described);
    const AssociationId = IamInstanceProfileAssociations?.[0]?.AssociationId;
    const IamInstanceProfile = { Name: 'admin' };
    await expect(
      user.ec2.send(new ec2.ReplaceIamInstanceProfileAssociationCommand({ AssociationId, IamInstanceProfile })),
    ).rejects.toMatchObject(refused);
    await user.ec2.send(new ec2.DisassociateIamInstanceProfileCommand({ AssociationId }));
    await user.ec2.send(new ec2.TerminateInstancesCommand({ InstanceIds: [InstanceId] }));
  });
});
