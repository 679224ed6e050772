import * as ec2 from '@aws-sdk/client-ec2';
import * as iam from '@aws-sdk/client-iam';
import * as kms from '@aws-sdk/client-kms';
import * as sts from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { holdfast } from './command-line.ts';
import { startStack, type Stack } from './stack.ts';

// "Why": what was refused, and what came to nothing, is told in terms of the key, policy or grant that decided.

const ACCOUNT = '111122223333';

let stack: Stack;
let root: TestAccount;
let ada: { ec2: ec2.EC2Client; kms: kms.KMSClient; sts: sts.STSClient };
let identity: iam.IAMClient;

const settings = (accessKeyId: string, secretAccessKey: string) => ({
  ...{ endpoint: stack.endpoint, region: REGION, maxAttempts: 1 },
  credentials: { accessKeyId, secretAccessKey },
});

const allowAda = (PolicyName: string, statement: object) =>
  identity.send(
    new iam.PutUserPolicyCommand({
      UserName: 'ada',
      PolicyName,
      PolicyDocument: JSON.stringify({ Version: '2012-10-17', Statement: [statement] }),
    }),
  );

beforeAll(async () => {
  stack = await startStack();
  root = new TestAccount(stack, ACCOUNT);
  identity = new iam.IAMClient(settings(ACCOUNT, 'test'));
  await identity.send(new iam.CreateUserCommand({ UserName: 'ada' }));
  await allowAda('ec2', { Sid: 'Volumes', Effect: 'Allow', Action: 'ec2:*', Resource: '*' });
  const { AccessKey } = await identity.send(new iam.CreateAccessKeyCommand({ UserName: 'ada' }));
  const own = settings(AccessKey?.AccessKeyId ?? '', AccessKey?.SecretAccessKey ?? '');
  ada = { ec2: new ec2.EC2Client(own), kms: new kms.KMSClient(own), sts: new sts.STSClient(own) };
});
afterAll(() => stack.stop());

interface Explained {
  summary: string;
  failures: { what: string; cause: string }[];
  decisions: {
    service: string;
    operation: string;
    allowed: boolean;
    steps: { change: { changes: { kind: string; statement: object }[] } }[];
  }[];
  keyChanges: { type: string; principal: string }[];
}

const explained = async (subject: string): Promise<Explained> => {
  const { code, stdout, stderr } = await holdfast(stack.home, 'explain', subject, '--json');
  expect([code, stderr]).toEqual([0, '']);
  return JSON.parse(stdout) as Explained;
};
const text = async (subject: string): Promise<string> => (await holdfast(stack.home, 'explain', subject)).stdout;

const refusalOf = async (call: Promise<unknown>): Promise<{ name: string; $metadata: { requestId: string } }> =>
  call.then(
    () => {
      throw new Error('it was allowed');
    },
    (error: unknown) => error as never,
  );

const gone = (VolumeId: string) =>
  eventually(
    () => root.ec2.send(new ec2.DescribeVolumesCommand({ Filters: [{ Name: 'volume-id', Values: [VolumeId] }] })),
    ({ Volumes }) => Volumes?.length === 0,
  );

/** A volume that vanishes, since its key is disabled. */
const vanished = async (key: string) => {
  await root.kms.send(new kms.DisableKeyCommand({ KeyId: key }));
  const input = { AvailabilityZone: ZONE, Size: 1, Encrypted: true, KmsKeyId: key };
  const { VolumeId = '', $metadata } = await root.ec2.send(new ec2.CreateVolumeCommand(input));
  await gone(VolumeId);
  return { VolumeId, requestId: $metadata.requestId ?? '' };
};

describe('a request that was refused', () => {
  it('is explained by its id, with the smallest change, which then allows it', async () => {
    const KeyId = await root.newKey();
    const encrypt = () => ada.kms.send(new kms.EncryptCommand({ KeyId, Plaintext: Buffer.from('x') }));
    const { name, $metadata } = await refusalOf(encrypt());
    expect(name).toBe('AccessDeniedException');
    const shown = await text($metadata.requestId);
    expect(shown).toContain('kms Encrypt refused');
    expect(shown).toContain('key policy, statement "Enable IAM User Permissions" (Allow): matches');
    expect(shown).toContain('statement "Volumes" (Allow): does not match: Action');
    const [decision] = (await explained($metadata.requestId)).decisions;
    const [change] = decision?.steps[0]?.change.changes ?? [];
    expect(change).toMatchObject({ kind: 'add-statement', side: 'identity' });
    await allowAda('encrypt', change?.statement ?? {});
    await eventually(
      () => encrypt().catch(() => null),
      (answer) => answer !== null,
    );
  });

  it('is explained also where EC2 refuses', async () => {
    const { name, $metadata } = await refusalOf(
      new ec2.EC2Client(settings(...(await powerless()))).send(new ec2.DescribeVolumesCommand({})),
    );
    expect(name).toBe('UnauthorizedOperation');
    expect(await text($metadata.requestId)).toContain('ec2:DescribeVolumes on *');
  });

  it('is explained where a role is not given, and which of the reasons that AWS hides it was', async () => {
    const trust = {
      Statement: { Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${ACCOUNT}:root` }, Action: 'sts:AssumeRole' },
    };
    const { Role } = await identity.send(
      new iam.CreateRoleCommand({ RoleName: 'backup', AssumeRolePolicyDocument: JSON.stringify(trust) }),
    );
    const assume = (RoleArn: string) =>
      refusalOf(ada.sts.send(new sts.AssumeRoleCommand({ RoleArn, RoleSessionName: 'session' })));
    const untrusted = await text((await assume(Role?.Arn ?? '')).$metadata.requestId);
    expect(untrusted).toContain('sts AssumeRole refused');
    expect(untrusted).toContain('resource-based policy, statement 0 (Allow): matches');
    expect(untrusted).toContain('denied: no identity-based policy allows it');
    const absent = await assume(`arn:aws:iam::${ACCOUNT}:role/absent`);
    expect(await text(absent.$metadata.requestId)).toContain(`there is no role arn:aws:iam::${ACCOUNT}:role/absent`);
  });

  it('is not made up', async () => {
    const { code, stderr } = await holdfast(stack.home, 'explain', '00000000-0000-4000-8000-000000000000');
    expect([code, stderr]).toEqual([1, expect.stringContaining('nothing is kept of 00000000') as string]);
    expect((await holdfast(stack.home, 'explain', 'vol-00000000000000000')).code).toBe(1);
  });
});

const powerless = async (): Promise<[string, string]> => {
  await identity.send(new iam.CreateUserCommand({ UserName: 'powerless' }));
  const { AccessKey } = await identity.send(new iam.CreateAccessKeyCommand({ UserName: 'powerless' }));
  return [AccessKey?.AccessKeyId ?? '', AccessKey?.SecretAccessKey ?? ''];
};

describe('a volume that vanished', () => {
  it('is explained by its id and by its request, by the key, and after a restart', async () => {
    const key = await root.newKey();
    const { VolumeId, requestId } = await vanished(key);
    const expected = {
      failures: [{ what: 'the volume could not be made, and vanished', cause: `${key} is disabled.` }],
      keyChanges: [{ type: 'KeyDisabled', principal: `arn:aws:iam::${ACCOUNT}:root` }],
    };
    expect(await explained(VolumeId)).toMatchObject(expected);
    expect(await explained(requestId)).toMatchObject(expected);
    expect(await text(VolumeId)).toContain(`=> state of ${key}: Disabled`);
    await stack.terminate();
    await stack.restart();
    expect(await explained(VolumeId)).toMatchObject(expected);
    expect(await text(requestId)).toContain('GenerateDataKeyWithoutPlaintext refused');
  });

  it('is told on the bus, once, with its cause', async () => {
    const key = await root.newKey();
    const { VolumeId, requestId } = await vanished(key);
    const told = await eventually(
      async () => {
        const { stdout } = await holdfast(stack.home, 'notifications', '--json');
        const all = stdout.split('\n').filter((line) => line.includes(VolumeId));
        return all.map((line) => JSON.parse(line) as { detail: object });
      },
      ({ length }) => length >= 2,
    );
    expect(told).toMatchObject([
      {
        source: 'aws.ec2',
        'detail-type': 'EBS Volume Notification',
        account: ACCOUNT,
        resources: [`arn:aws:ec2:${REGION}:${ACCOUNT}:volume/${VolumeId}`, key],
        detail: { event: 'createVolume', result: 'failed', cause: `${key} is disabled.`, 'request-id': requestId },
      },
      { detail: { event: 'deleteVolume', result: 'deleted', cause: '' } },
    ]);
    const { stdout } = await holdfast(stack.home, 'notifications', '--since', '1h');
    expect(stdout).toContain(`cause: ${key} is disabled.`);
  });
});

describe('what else came to nothing', () => {
  it('an attachment that the caller may not make a grant for', async () => {
    const KmsKeyId = await root.newKey();
    const [instanceId, { VolumeId }] = await Promise.all([
      root.launch(),
      root.volume({ Size: 1, Encrypted: true, KmsKeyId }),
    ]);
    const input = { VolumeId, InstanceId: instanceId, Device: '/dev/sdf' };
    const { name } = await refusalOf(ada.ec2.send(new ec2.AttachVolumeCommand(input)));
    expect(name).toBe('CustomerKeyHasBeenRevoked');
    const shown = await text(VolumeId);
    expect(shown).toContain(`attaching it to ${instanceId} was refused`);
    expect(shown).toContain(`kms CreateGrant refused`);
    expect(shown).toContain('smallest change: To allow kms:CreateGrant');
  });

  it('a copy that ended in error', async () => {
    const [SourceKey, KmsKeyId] = await Promise.all([root.newKey(), root.newKey()]);
    const { VolumeId } = await root.volume({ Size: 1, Encrypted: true, KmsKeyId: SourceKey });
    const { SnapshotId: SourceSnapshotId = '' } = await root.ec2.send(new ec2.CreateSnapshotCommand({ VolumeId }));
    await root.snapshotSettled(SourceSnapshotId);
    const steps = ['DescribeKey', 'GenerateDataKeyWithoutPlaintext', 'CreateGrant'].map((step) => `kms:${step}`);
    await allowAda('copy', { Effect: 'Allow', Action: steps, Resource: KmsKeyId });
    const copy = { SourceSnapshotId, SourceRegion: REGION, Encrypted: true, KmsKeyId };
    const { SnapshotId = '' } = await eventually(
      () => ada.ec2.send(new ec2.CopySnapshotCommand(copy)).catch(() => ({ SnapshotId: undefined })),
      (answer) => answer.SnapshotId !== undefined,
    );
    expect((await root.snapshotSettled(SnapshotId)).State).toBe('error');
    const shown = await text(SnapshotId);
    expect(shown).toContain('the snapshot ended in error (Given key ID is not accessible)');
    expect(shown).toContain(`kms:CreateGrant on ${SourceKey}`);
  });

  it('a launch that was terminated', async () => {
    const KmsKeyId = await root.newKey();
    await root.kms.send(new kms.DisableKeyCommand({ KeyId: KmsKeyId }));
    const { Images } = await root.ec2.send(new ec2.DescribeImagesCommand({ Owners: ['amazon'] }));
    const disk = { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, Encrypted: true, KmsKeyId } };
    const { Instances } = await root.ec2.send(
      new ec2.RunInstancesCommand({
        ...{ ImageId: Images?.[0]?.ImageId, InstanceType: 't3.micro', MinCount: 1, MaxCount: 1 },
        BlockDeviceMappings: [disk],
      }),
    );
    const InstanceId = Instances?.[0]?.InstanceId ?? '';
    await eventually(
      () => root.ec2.send(new ec2.DescribeInstancesCommand({ InstanceIds: [InstanceId] })),
      ({ Reservations }) => Reservations?.[0]?.Instances?.[0]?.State?.Name === 'terminated',
    );
    const { summary, failures } = await explained(InstanceId);
    expect(summary).toContain('Client.InvalidKMSKey.InvalidState');
    expect(failures.map(({ cause }) => cause)).toContain(`${KmsKeyId} is disabled.`);
    expect(await text(InstanceId)).toContain(`=> state of ${KmsKeyId}: Disabled`);
  });
});
