import { EBSClient, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import {
  CopyImageCommand,
  CopySnapshotCommand,
  CreateImageCommand,
  CreateKeyPairCommand,
  CreateSnapshotCommand,
  CreateSnapshotsCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DescribeImagesCommand,
  DescribeSnapshotsCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  EC2Client,
  RegisterImageCommand,
  type ResourceType,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CreateKeyCommand, DescribeKeyCommand, EncryptCommand, ListKeysCommand } from '@aws-sdk/client-kms';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAccount } from './account.ts';
import { clientsFor } from './clients.ts';
import { Sha256 } from './presigned.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.stop());

const [ALICE, BOB] = ['111122223333', '444455556666'] as const;
const aws = (account: string) => clientsFor(stack.endpoint, account);

const signed = async (body: string, options: { signingDate?: Date; secret?: string; service?: string } = {}) => {
  const { hostname, port } = new URL(stack.endpoint);
  const signer = new SignatureV4({
    service: options.service ?? 'ec2',
    region: 'eu-central-1',
    credentials: { accessKeyId: ALICE, secretAccessKey: options.secret ?? 'test' },
    sha256: Sha256,
  });
  const request = {
    method: 'POST',
    protocol: 'http:',
    hostname,
    port: Number(port),
    path: '/',
    query: {},
    headers: { host: `${hostname}:${port}`, 'content-type': 'application/x-www-form-urlencoded' },
    body,
  };
  const { headers } = await signer.sign(request, options.signingDate ? { signingDate: options.signingDate } : {});
  return headers;
};

const post = async (headers: Record<string, string>, body: string) => {
  const { host: _host, ...sendable } = headers;
  const response = await fetch(stack.endpoint, { method: 'POST', headers: sendable, body });
  return { status: response.status, text: await response.text(), requestId: response.headers.get('x-amzn-requestid') };
};

const DESCRIBE = 'Action=DescribeVolumes&Version=2016-11-15';

describe('two accounts', () => {
  it('see nothing of each other', async () => {
    const key = (await aws(ALICE).kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
    const { VolumeId = '' } = await aws(ALICE).ec2.send(
      new CreateVolumeCommand({ AvailabilityZone: 'eu-central-1a', Size: 1 }),
    );
    expect((await aws(BOB).ec2.send(new DescribeVolumesCommand({}))).Volumes).toEqual([]);
    expect((await aws(BOB).ec2.send(new DescribeSnapshotsCommand({ OwnerIds: ['self'] }))).Snapshots).toEqual([]);
    expect((await aws(BOB).kms.send(new ListKeysCommand({}))).Keys).toEqual([]);
    await expect(aws(BOB).ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] }))).rejects.toMatchObject({
      name: 'InvalidVolume.NotFound',
    });
    await expect(aws(BOB).ec2.send(new CreateSnapshotCommand({ VolumeId }))).rejects.toMatchObject({
      name: 'InvalidVolume.NotFound',
    });
    for (const call of [
      () => aws(BOB).kms.send(new DescribeKeyCommand({ KeyId: key })),
      () => aws(BOB).kms.send(new EncryptCommand({ KeyId: key, Plaintext: Buffer.from('x') })),
    ]) {
      await expect(call()).rejects.toMatchObject({ name: 'AccessDeniedException' });
    }
  });

  it('are who they say', async () => {
    expect(await aws(BOB).sts.send(new GetCallerIdentityCommand({}))).toMatchObject({
      Account: BOB,
      Arn: `arn:aws:iam::${BOB}:root`,
      UserId: BOB,
    });
  });

  it('do not meet across Regions either', async () => {
    await aws(ALICE).ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'eu-central-1a', Size: 1 }));
    const elsewhere = clientsFor(stack.endpoint, ALICE, 'us-east-1').ec2;
    expect((await elsewhere.send(new DescribeVolumesCommand({}))).Volumes).toEqual([]);
  });
});

describe('what is refused', () => {
  it('a wrong secret', async () => {
    const { status, text } = await post(await signed(DESCRIBE, { secret: 'wrong' }), DESCRIBE);
    expect(status).toBe(401);
    expect(text).toContain('<Code>AuthFailure</Code>');
    expect(text).toContain('AWS was not able to validate the provided access credentials');
  });

  it('a stale date, either way', async () => {
    for (const minutes of [-16, 16]) {
      const signingDate = new Date(Date.now() + minutes * 60_000);
      const { status, text } = await post(await signed(DESCRIBE, { signingDate }), DESCRIBE);
      expect(status).toBe(400);
      expect(text).toContain('<Code>RequestExpired</Code>');
    }
  });

  it('an altered body', async () => {
    const headers = await signed(DESCRIBE);
    const { status, text } = await post(headers, DESCRIBE.replace('DescribeVolumes', 'DescribeSnapshots'));
    expect(status).toBe(401);
    expect(text).toContain('<Code>AuthFailure</Code>');
  });

  it('an unknown action, and one we do not have', async () => {
    const nonsense = 'Action=MakeCoffee&Version=2016-11-15';
    const unknown = await post(await signed(nonsense), nonsense);
    expect([unknown.status, unknown.text]).toEqual([400, expect.stringContaining('<Code>InvalidAction</Code>')]);
    expect(unknown.text).toContain('The action MakeCoffee is not valid for this web service.');
    const body = 'Action=CreateVpc&Version=2016-11-15&CidrBlock=10.0.0.0%2F16';
    const unsupported = await post(await signed(body), body);
    expect([unsupported.status, unsupported.text]).toEqual([
      400,
      expect.stringContaining('<Code>UnsupportedOperation</Code>'),
    ]);
  });

  it('an oversize body', async () => {
    const body = `${DESCRIBE}&Filter.1.Name=${'x'.repeat(2 << 20)}`;
    const { status, text } = await post(await signed(body), body);
    expect([400, 413]).toContain(status);
    expect(text).toMatch(/<Code>\w+<\/Code>/);
  });

  it('an unsigned request, in the words of each protocol', async () => {
    const query = await post({ 'content-type': 'application/x-www-form-urlencoded' }, DESCRIBE);
    expect([query.status, query.text]).toEqual([
      403,
      expect.stringContaining('<Code>MissingAuthenticationToken</Code>'),
    ]);
    const json = await post(
      { 'content-type': 'application/x-amz-json-1.1', 'x-amz-target': 'TrentService.ListKeys' },
      '{}',
    );
    expect([json.status, JSON.parse(json.text)]).toEqual([
      400,
      expect.objectContaining({ __type: 'MissingAuthenticationTokenException' }),
    ]);
    expect(json.requestId).not.toBeNull();
  });

  it('an unknown access key', async () => {
    const stranger = new EC2Client({
      endpoint: stack.endpoint,
      region: 'eu-central-1',
      credentials: { accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'test' },
      maxAttempts: 1,
    });
    await expect(stranger.send(new DescribeVolumesCommand({}))).rejects.toMatchObject({ name: 'AuthFailure' });
  });
});

/** What every resource refuses, and how EC2 says so. */
const tag = (Key: string, Value = '') => ({ Key, Value });
const BAD_TAGS: readonly (readonly [string, { Key: string; Value: string }[], string, string])[] = [
  ['a key of AWS', [tag('aws:x')], 'InvalidParameterValue', "Tag keys starting with 'aws:' are reserved for internal use"],
  ['a key of AWS in other letters', [tag('AWS:x')], 'InvalidParameterValue', "Tag keys starting with 'aws:' are reserved for internal use"],
  ['an empty key', [tag('')], 'InvalidParameterValue', 'Tag key cannot be null or empty'],
  ['a key of 128 characters', [tag('k'.repeat(128))], 'InvalidParameterValue', 'Tag key exceeds the maximum length of 127 characters'],
  ['a value of 256 characters', [tag('k', 'v'.repeat(256))], 'InvalidParameterValue', 'Tag value exceeds the maximum length of 255 characters'],
  ['51 tags', Array.from({ length: 51 }, (_, n) => tag(`k${String(n)}`)), 'TagLimitExceeded', 'The maximum number of Tags for a resource has been reached.'],
]; // prettier-ignore
const TWICE = [tag('a'), tag('a', '2')];

describe('tags', () => {
  const ids: Record<string, string> = {};
  let account: TestAccount;
  beforeAll(async () => {
    account = new TestAccount(stack, '777788889999');
    const [volume, instance] = await Promise.all([account.volume({ Size: 1 }), account.launch()]);
    const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId: volume.VolumeId }));
    await account.snapshotSettled(SnapshotId);
    const BlockDeviceMappings = [{ DeviceName: '/dev/sda1', Ebs: { SnapshotId } }];
    const image = await account.ec2.send(
      new RegisterImageCommand({ Name: 'tagged', RootDeviceName: '/dev/sda1', BlockDeviceMappings }),
    );
    const { KeyPairId = '' } = await account.ec2.send(new CreateKeyPairCommand({ KeyName: 'tagged' }));
    Object.assign(ids, { volume: volume.VolumeId, snapshot: SnapshotId, instance, image: image.ImageId, 'key-pair': KeyPairId });
  }); // prettier-ignore

  const put = (type: string, Tags: { Key: string; Value: string }[]) =>
    account.ec2.send(new CreateTagsCommand({ Resources: [ids[type] ?? ''], Tags }));
  const tagsOf = async (type: string) => {
    const { Tags = [] } = await account.ec2.send(
      new DescribeTagsCommand({ Filters: [{ Name: 'resource-id', Values: [ids[type] ?? ''] }] }),
    );
    return Tags;
  };

  it.each(['volume', 'snapshot', 'instance', 'image', 'key-pair'])('keep to their limits on a %s', async (type) => {
    for (const [, Tags, name, message] of BAD_TAGS) await expect(put(type, Tags)).rejects.toMatchObject({ name, message });
    await expect(put(type, TWICE)).rejects.toMatchObject({ message: "Duplicate tag key 'a' specified." });
    expect(await tagsOf(type)).toEqual([]);
    const fifty = Array.from({ length: 49 }, (_, n) => tag(`k${String(n)}`, 'v'.repeat(255)));
    await put(type, [...fifty, tag('k'.repeat(127))]);
    await expect(put(type, [tag('one more')])).rejects.toMatchObject({ name: 'TagLimitExceeded' });
    await put(type, [tag('k0', 'another value')]);
    const tags = await tagsOf(type);
    expect([tags.length, tags.find(({ Key }) => Key === 'k0')?.Value]).toEqual([50, 'another value']);
    expect(tags.every(({ ResourceType }) => ResourceType === type)).toBe(true);
  }); // prettier-ignore

  it.each(BAD_TAGS)('are refused where something is made with %s', async (_, Tags, name, message) => {
    const of = (ResourceType: ResourceType) => ({ TagSpecifications: [{ ResourceType, Tags }] });
    const { volume: VolumeId, instance: InstanceId, snapshot, image } = ids;
    const copy = { SourceRegion: 'eu-central-1', Name: 'never' };
    const run = { ImageId: image, InstanceType: 't3.micro' as const, MinCount: 1, MaxCount: 1 };
    const devices = { BlockDeviceMappings: [{ DeviceName: '/dev/sda1', Ebs: { SnapshotId: snapshot } }] };
    const made = [
      new CreateVolumeCommand({ AvailabilityZone: 'eu-central-1a', Size: 1, ...of('volume') }),
      new CreateSnapshotCommand({ VolumeId, ...of('snapshot') }),
      new CreateSnapshotsCommand({ InstanceSpecification: { InstanceId }, ...of('snapshot') }),
      new CopySnapshotCommand({ SourceSnapshotId: snapshot, SourceRegion: 'eu-central-1', ...of('snapshot') }),
      new RunInstancesCommand({ ...run, ...of('instance') }),
      new RunInstancesCommand({ ...run, ...of('volume') }),
      new RegisterImageCommand({ Name: 'never', RootDeviceName: '/dev/sda1', ...devices, ...of('image') }),
      new CreateImageCommand({ InstanceId, Name: 'never', ...of('image') }),
      new CreateImageCommand({ InstanceId, Name: 'never', ...of('snapshot') }),
      new CopyImageCommand({ ...copy, SourceImageId: image, ...of('image') }),
      new CreateKeyPairCommand({ KeyName: 'never', ...of('key-pair') }),
    ];
    for (const command of made)
      await expect(account.ec2.send(command as CreateVolumeCommand), command.constructor.name).rejects.toMatchObject({
        ...{ name, message },
      });
    const ebs = new EBSClient({
      ...{ endpoint: stack.endpoint, region: 'eu-central-1', maxAttempts: 1 },
      credentials: { accessKeyId: account.accountId, secretAccessKey: 'test' },
    });
    const direct = ebs.send(new StartSnapshotCommand({ VolumeSize: 1, Tags }));
    await expect(direct).rejects.toMatchObject({ name: 'ValidationException' });
  });
});

describe('a client token', () => {
  it('stands for one request: whatever is asked for otherwise with it is refused', async () => {
    const account = new TestAccount(stack, '777788889999');
    const { ec2 } = account;
    const mismatch = { name: 'IdempotentParameterMismatch' };
    const ClientToken = 'stands-for-one';
    const volume = (input: object) =>
      ec2.send(new CreateVolumeCommand({ AvailabilityZone: 'eu-central-1a', Size: 1, ClientToken, ...input }));
    const { VolumeId } = await volume({});
    expect((await volume({})).VolumeId).toBe(VolumeId);
    for (const other of [{ Size: 2 }, { AvailabilityZone: 'eu-central-1b' }, { VolumeType: 'gp3' }, { Encrypted: true }])
      await expect(volume(other)).rejects.toMatchObject(mismatch);
    const { Images } = await ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
    const ImageId = Images?.[0]?.ImageId ?? '';
    const launch = async (input: object) => {
      const run = { ImageId, InstanceType: 't3.micro' as const, MinCount: 1, MaxCount: 1, ClientToken, ...input };
      return (await ec2.send(new RunInstancesCommand(run))).Instances?.map(({ InstanceId }) => InstanceId);
    };
    const launched = await launch({});
    expect(await launch({})).toEqual(launched);
    for (const other of [{ MaxCount: 2 }, { InstanceType: 't3.nano' }, { DisableApiTermination: true }])
      await expect(launch(other)).rejects.toMatchObject(mismatch);
    const copy = (input: object) =>
      ec2.send(new CopyImageCommand({ Name: 'copied', SourceImageId: ImageId, SourceRegion: 'eu-central-1', ClientToken, ...input }));
    const copied = await copy({});
    expect((await copy({})).ImageId).toBe(copied.ImageId);
    for (const other of [{ Name: 'else' }, { Description: 'else' }, { Encrypted: true }])
      await expect(copy(other)).rejects.toMatchObject(mismatch);
    // Each operation has tokens of its own, and each account.
    const elsewhere = await new TestAccount(stack, '888899990000').ec2.send(
      new CreateVolumeCommand({ AvailabilityZone: 'eu-central-1a', Size: 2, ClientToken }),
    );
    expect(elsewhere.VolumeId).not.toBe(VolumeId);
  }); // prettier-ignore
});
