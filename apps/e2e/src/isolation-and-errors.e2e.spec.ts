import {
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  EC2Client,
} from '@aws-sdk/client-ec2';
import { CreateKeyCommand, DescribeKeyCommand, EncryptCommand, ListKeysCommand } from '@aws-sdk/client-kms';
import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { SignatureV4 } from '@smithy/signature-v4';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
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
