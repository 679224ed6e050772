import { createHash } from 'node:crypto';
import { CloudTrailClient, LookupEventsCommand } from '@aws-sdk/client-cloudtrail';
import { EBSClient, GetSnapshotBlockCommand, PutSnapshotBlockCommand } from '@aws-sdk/client-ebs';
import {
  CreateTagsCommand,
  CreateVolumeCommand,
  DescribeVolumesCommand,
  EC2Client,
  ModifyHostsCommand,
} from '@aws-sdk/client-ec2';
import { CreateUserCommand, IAMClient, ListUsersCommand } from '@aws-sdk/client-iam';
import { DisableKeyCommand, EncryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { AwsError } from '@holdfast/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ParsedRequest } from './index.ts';
import { ACCESS_KEY, startCodecServer, type Answer, type Handler } from './testing/codec-server.ts';

let server: Awaited<ReturnType<typeof startCodecServer>>;
let handle: Handler;
let seen: ParsedRequest;
const answerWith = (output: unknown, payload?: Buffer): void => {
  handle = (): Answer => ({ output, payload });
};
const refuseWith = (error: ConstructorParameters<typeof AwsError>[0]): void => {
  handle = () => {
    throw new AwsError(error);
  };
};
const config = () => ({
  endpoint: server.endpoint,
  region: 'eu-central-1',
  credentials: ACCESS_KEY,
  maxAttempts: 1,
});

beforeAll(async () => {
  server = await startCodecServer((request, caller) => {
    seen = request;
    return handle(request, caller);
  });
});
afterAll(() => server.close());

/** What an SDK call rejects with. */
const failureOf = (call: Promise<unknown>): Promise<Record<string, unknown>> =>
  call.then(
    () => {
      throw new Error('the call succeeded');
    },
    (error: unknown) => error as Record<string, unknown>,
  );

describe('the official JavaScript clients', () => {
  it('create a volume', async () => {
    const tags = [{ Key: 'odd', Value: '<&"\' é \r\n+%' }];
    const createTime = '2024-01-02T03:04:05.678Z';
    answerWith({
      VolumeId: 'vol-1',
      Size: 8,
      State: 'creating',
      CreateTime: createTime,
      Encrypted: true,
      Tags: tags,
      Attachments: [],
    });
    const volume = await new EC2Client(config()).send(
      new CreateVolumeCommand({
        AvailabilityZone: 'eu-central-1a',
        Size: 8,
        Encrypted: true,
        TagSpecifications: [{ ResourceType: 'volume', Tags: tags }],
      }),
    );
    expect(seen).toMatchObject({
      service: 'ec2',
      operation: 'CreateVolume',
      input: {
        AvailabilityZone: 'eu-central-1a',
        Size: 8,
        Encrypted: true,
        TagSpecifications: [{ ResourceType: 'volume', Tags: tags }],
        ClientToken: expect.any(String) as string,
      },
    });
    expect(volume).toMatchObject({
      VolumeId: 'vol-1',
      Size: 8,
      State: 'creating',
      CreateTime: new Date(createTime),
      Encrypted: true,
      Tags: tags,
      Attachments: [],
      $metadata: { requestId: 'c0ffee00-0000-4000-8000-000000000001', httpStatusCode: 200 },
    });
  });

  it('list volumes by filters, and tell an empty list from none', async () => {
    answerWith({ Volumes: [{ VolumeId: 'vol-1', SnapshotId: '', Attachments: [] }], NextToken: 'more' });
    const answer = await new EC2Client(config()).send(
      new DescribeVolumesCommand({ Filters: [{ Name: 'tag:a.b', Values: ['x', 'y'] }], VolumeIds: ['vol-1', 'vol-2'] }),
    );
    expect(seen.input).toEqual({ Filters: [{ Name: 'tag:a.b', Values: ['x', 'y'] }], VolumeIds: ['vol-1', 'vol-2'] });
    expect(answer.Volumes).toEqual([{ VolumeId: 'vol-1', SnapshotId: '', Attachments: [] }]);
    expect(answer.NextToken).toBe('more');
  });

  it('call an EC2 operation that answers nothing', async () => {
    answerWith({});
    await new EC2Client(config()).send(
      new CreateTagsCommand({ Resources: ['vol-1'], Tags: [{ Key: 'k', Value: '' }] }),
    );
    expect(seen.input).toEqual({ Resources: ['vol-1'], Tags: [{ Key: 'k', Value: '' }] });
  });

  it('generate a data key, with bytes, an encryption context and timestamps as they were', async () => {
    const plaintext = createHash('sha256').update('key').digest();
    answerWith({ KeyId: 'arn:k', Plaintext: plaintext.toString('base64'), CiphertextBlob: 'AAEC' });
    const context = JSON.parse('{"__proto__":"kept","aws:ebs:id":"vol-1"}') as Record<string, string>;
    const answer = await new KMSClient(config()).send(
      new GenerateDataKeyCommand({ KeyId: 'alias/aws/ebs', NumberOfBytes: 64, EncryptionContext: context }),
    );
    expect(Object.entries(seen.input['EncryptionContext'] as object)).toEqual(
      expect.arrayContaining([['aws:ebs:id', 'vol-1']]),
    );
    expect(Buffer.from(answer.Plaintext ?? [])).toEqual(plaintext);
    expect(Buffer.from(answer.CiphertextBlob ?? [])).toEqual(Buffer.from([0, 1, 2]));
  });

  it('send a blob', async () => {
    answerWith({ CiphertextBlob: 'AAEC' });
    await new KMSClient(config()).send(new EncryptCommand({ KeyId: 'k', Plaintext: Buffer.from('hello') }));
    expect(seen.input).toEqual({ KeyId: 'k', Plaintext: Buffer.from('hello').toString('base64') });
  });

  it('call a KMS operation that answers nothing', async () => {
    answerWith({});
    const { $metadata } = await new KMSClient(config()).send(new DisableKeyCommand({ KeyId: 'k' }));
    expect($metadata.httpStatusCode).toBe(200);
  });

  it('ask who they are', async () => {
    answerWith({ Account: '123456789012', UserId: '123456789012', Arn: 'arn:aws:iam::123456789012:root' });
    const answer = await new STSClient(config()).send(new GetCallerIdentityCommand({}));
    expect(seen).toMatchObject({ service: 'sts', operation: 'GetCallerIdentity', input: {} });
    expect(answer).toMatchObject({ Account: '123456789012', Arn: 'arn:aws:iam::123456789012:root' });
  });

  it('write and read a snapshot block', async () => {
    const block = Buffer.alloc(524_288, 7);
    const checksum = createHash('sha256').update(block).digest('base64');
    answerWith({ Checksum: checksum, ChecksumAlgorithm: 'SHA256' });
    const client = new EBSClient(config());
    const put = await client.send(
      new PutSnapshotBlockCommand({
        SnapshotId: 'snap-0123',
        BlockIndex: 5,
        BlockData: block,
        DataLength: block.length,
        Checksum: checksum,
        ChecksumAlgorithm: 'SHA256',
      }),
    );
    expect(seen.input).toEqual({
      SnapshotId: 'snap-0123',
      BlockIndex: 5,
      DataLength: block.length,
      Checksum: checksum,
      ChecksumAlgorithm: 'SHA256',
    });
    expect(seen.payload?.equals(block)).toBe(true);
    expect(put).toMatchObject({ Checksum: checksum, $metadata: { httpStatusCode: 201 } });

    answerWith({ DataLength: block.length, Checksum: checksum, ChecksumAlgorithm: 'SHA256' }, block);
    const got = await client.send(
      new GetSnapshotBlockCommand({ SnapshotId: 'snap-0123', BlockIndex: 5, BlockToken: 'AAE+/=' }),
    );
    expect(seen.input).toEqual({ SnapshotId: 'snap-0123', BlockIndex: 5, BlockToken: 'AAE+/=' });
    expect(got).toMatchObject({ DataLength: block.length, Checksum: checksum, ChecksumAlgorithm: 'SHA256' });
    expect(Buffer.from((await got.BlockData?.transformToByteArray()) ?? []).equals(block)).toBe(true);
  });

  it('look up events, with times in epoch seconds', async () => {
    const at = '2024-01-02T03:04:05.500Z';
    answerWith({ Events: [{ EventId: 'e', EventTime: at, ReadOnly: 'true', Resources: [] }] });
    const answer = await new CloudTrailClient(config()).send(
      new LookupEventsCommand({ StartTime: new Date(at), MaxResults: 5 }),
    );
    expect(seen.input).toEqual({ StartTime: at, MaxResults: 5 });
    expect(answer.Events?.[0]).toMatchObject({ EventId: 'e', EventTime: new Date(at) });
  });

  it('list users', async () => {
    const user = { Path: '/', UserName: 'ann', UserId: 'AIDA1', Arn: 'arn:u', CreateDate: '2024-01-01T00:00:00.000Z' };
    answerWith({ Users: [user], IsTruncated: false });
    const answer = await new IAMClient(config()).send(new ListUsersCommand({ PathPrefix: '/' }));
    expect(answer.Users).toEqual([{ ...user, CreateDate: new Date(user.CreateDate) }]);
    await new IAMClient(config()).send(new CreateUserCommand({ UserName: 'bo', Tags: [] })).catch(() => undefined);
    expect(seen.input).toEqual({ UserName: 'bo', Tags: [] });
  });
});

describe('errors, as the official clients read them', () => {
  it('EC2', async () => {
    refuseWith({ code: 'InvalidVolume.NotFound', message: "The volume 'vol-<1>' does not exist." });
    const failure = await failureOf(new EC2Client(config()).send(new DescribeVolumesCommand({ VolumeIds: ['vol-1'] })));
    expect(failure).toMatchObject({
      name: 'InvalidVolume.NotFound',
      message: "The volume 'vol-<1>' does not exist.",
      $metadata: { httpStatusCode: 400, requestId: 'c0ffee00-0000-4000-8000-000000000001' },
    });
  });
  it('EC2 dry run', async () => {
    refuseWith({ code: 'DryRunOperation', message: 'Request would have succeeded, but DryRun flag is set.' });
    const failure = await failureOf(new EC2Client(config()).send(new DescribeVolumesCommand({ DryRun: true })));
    expect(failure).toMatchObject({ name: 'DryRunOperation', $metadata: { httpStatusCode: 412 } });
  });
  it('an EC2 operation that exists and has no tables', async () => {
    const call = new EC2Client(config()).send(new ModifyHostsCommand({ HostIds: ['h-1'] }));
    expect(await failureOf(call)).toMatchObject({ name: 'UnsupportedOperation', $metadata: { httpStatusCode: 400 } });
  });
  it('KMS, 400 whatever the model says, with and without a message', async () => {
    refuseWith({ code: 'NotFoundException', message: 'no such key' });
    const client = new KMSClient(config());
    const missing = await failureOf(client.send(new DisableKeyCommand({ KeyId: 'k' })));
    expect(missing).toMatchObject({
      name: 'NotFoundException',
      message: 'no such key',
      $metadata: { httpStatusCode: 400 },
    });
    refuseWith({ code: 'InvalidCiphertextException' });
    const invalid = await failureOf(client.send(new DisableKeyCommand({ KeyId: 'k' })));
    expect(invalid).toMatchObject({ name: 'InvalidCiphertextException', $metadata: { httpStatusCode: 400 } });
  });
  it('KMS, of a service that fails', async () => {
    refuseWith({ code: 'KMSInternalException', message: 'sorry' });
    const failure = await failureOf(new KMSClient(config()).send(new DisableKeyCommand({ KeyId: 'k' })));
    expect(failure).toMatchObject({ name: 'KMSInternalException', $metadata: { httpStatusCode: 500 } });
  });
  it('IAM', async () => {
    refuseWith({ code: 'NoSuchEntity', message: 'no user' });
    const failure = await failureOf(new IAMClient(config()).send(new ListUsersCommand({})));
    expect(failure).toMatchObject({
      name: 'NoSuchEntityException',
      message: 'no user',
      $metadata: { httpStatusCode: 404 },
    });
  });
  it('STS', async () => {
    refuseWith({ code: 'AccessDenied', message: 'no' });
    const failure = await failureOf(new STSClient(config()).send(new GetCallerIdentityCommand({})));
    expect(failure).toMatchObject({ name: 'AccessDenied', message: 'no', $metadata: { httpStatusCode: 403 } });
  });
  it('EBS direct, with its reason', async () => {
    refuseWith({ code: 'ResourceNotFoundException', message: 'gone', members: { Reason: 'SNAPSHOT_NOT_FOUND' } });
    const call = new EBSClient(config()).send(
      new GetSnapshotBlockCommand({ SnapshotId: 'snap-1', BlockIndex: 0, BlockToken: 'AA' }),
    );
    expect(await failureOf(call)).toMatchObject({
      name: 'ResourceNotFoundException',
      message: 'gone',
      Reason: 'SNAPSHOT_NOT_FOUND',
      $metadata: { httpStatusCode: 404 },
    });
  });
  it('a wrong secret, at each service', async () => {
    const wrong = () => ({ ...config(), credentials: { ...ACCESS_KEY, secretAccessKey: 'other' } });
    answerWith({});
    const names = await Promise.all([
      failureOf(new EC2Client(wrong()).send(new DescribeVolumesCommand({}))),
      failureOf(new KMSClient(wrong()).send(new DisableKeyCommand({ KeyId: 'k' }))),
      failureOf(new STSClient(wrong()).send(new GetCallerIdentityCommand({}))),
      failureOf(
        new EBSClient(wrong()).send(
          new GetSnapshotBlockCommand({ SnapshotId: 'snap-1', BlockIndex: 0, BlockToken: 'AA' }),
        ),
      ),
    ]);
    expect(names.map(({ name }) => name)).toEqual([
      'AuthFailure',
      'InvalidSignatureException',
      'SignatureDoesNotMatch',
      'InvalidSignatureException',
    ]);
  });
});
