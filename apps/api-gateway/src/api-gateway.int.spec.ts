import { CreateTagsCommand, DescribeTagsCommand, DescribeVolumesCommand } from '@aws-sdk/client-ec2';
import { EC2Client } from '@aws-sdk/client-ec2';
import { DecryptCommand, EncryptCommand, KMSClient } from '@aws-sdk/client-kms';
import { deriveSigningKey } from '@holdfast/aws-protocol';
import { accountId, AwsError, type RequestContext } from '@holdfast/contracts';
import { freePort } from '@holdfast/embedded';
import type { RequestHandlers, ServiceName } from '@holdfast/messaging';
import { deriveRecipient, type Recipient, seal } from '@holdfast/sealing';
import { startTestStack, type TestStack } from '@holdfast/service-kit/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { start } from './service.ts';

const ACCOUNT = accountId('111122223333');
const PLAINTEXT = 'a secret';

interface Seen {
  service: ServiceName;
  action: string;
  input: Record<string, unknown>;
  context: RequestContext;
}
let seen: Seen[];
let stack: TestStack;
let endpoint: string;
let kmsTransport: Recipient;
let revoked = false;

const recording = (
  service: ServiceName,
  handlers: Record<string, (input: never, context: RequestContext) => unknown>,
) =>
  Object.fromEntries(
    Object.entries(handlers).map(([action, handle]) => [
      action,
      async (input: never, context: RequestContext) => {
        seen.push({ service, action, input, context });
        return handle(input, context);
      },
    ]),
  ) as RequestHandlers;

const root = { type: 'Root', arn: `arn:aws:iam::${ACCOUNT}:root`, accountId: ACCOUNT, principalId: ACCOUNT };
const identity = {
  ResolveSigningKey: async (input: {
    accessKeyId: string;
    date: string;
    region: string;
    service: string;
    recipientPublicKey: string;
  }) => {
    if (input.accessKeyId !== ACCOUNT || revoked) return null;
    const key = deriveSigningKey('test', input.date, input.region, input.service).export();
    return {
      principal: root,
      accountId: ACCOUNT,
      sealedSigningKey: await seal(input.recipientPublicKey, key, 'signing-key'),
    };
  },
};
const kms = {
  GetTransportKey: () => ({ publicKey: kmsTransport.publicKeyBase64 }),
  Encrypt: async ({ Plaintext }: { Plaintext: string }, { requestId }: RequestContext) => {
    const opened = await kmsTransport.open(Plaintext, `kms.Encrypt.${requestId}`);
    return { CiphertextBlob: opened.reverse().toString('base64'), KeyId: 'key' };
  },
  Decrypt: async (_: unknown, { requestId, recipientPublicKey = '' }: RequestContext) => ({
    Plaintext: await seal(recipientPublicKey, Buffer.from(PLAINTEXT), `kms.Decrypt.${requestId}`),
    KeyId: 'key',
  }),
};
/** Tags of one owner, which has exactly one resource. */
const tagOwner = (id: string, ResourceType: string, notFound: string) => ({
  CreateTags: ({ Resources, DryRun }: { Resources: string[]; DryRun?: boolean }) => {
    if (Resources.some((resource) => resource !== id)) throw new AwsError({ code: notFound, message: 'absent' });
    if (DryRun === true) throw new AwsError({ code: 'DryRunOperation', message: 'would have', status: 412 });
    return {};
  },
  DescribeTags: () => ({ Tags: ['b', 'a'].map((Key) => ({ ResourceId: id, ResourceType, Key, Value: '' })) }),
});
const volumes = {
  ...tagOwner('vol-1', 'volume', 'InvalidVolume.NotFound'),
  DescribeVolumes: ({ VolumeIds = [] }: { VolumeIds?: string[] }) => {
    if (VolumeIds.includes('vol-bug')) throw new TypeError('secret details of a bug');
    return { Volumes: [] };
  },
};

beforeAll(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
  kmsTransport = await deriveRecipient(Buffer.alloc(32, 7));
  seen = [];
  await stack.bus.serveRequests('identity', recording('identity', identity));
  await stack.bus.serveRequests('kms', recording('kms', kms));
  await stack.bus.serveRequests('volumes', recording('volumes', volumes));
  await stack.bus.serveRequests(
    'snapshots',
    recording('snapshots', tagOwner('snap-1', 'snapshot', 'InvalidSnapshot.NotFound')),
  );
  await stack.bus.serveRequests(
    'instances',
    recording('instances', tagOwner('i-1', 'instance', 'InvalidInstanceID.NotFound')),
  );
  const port = await freePort();
  endpoint = `http://127.0.0.1:${String(port)}`;
  await stack.start(start, { host: '127.0.0.1', port });
});
beforeEach(() => {
  seen = [];
});
afterAll(() => stack.close());

const settings = (accessKeyId: string = ACCOUNT) => ({
  endpoint,
  region: 'eu-central-1',
  credentials: { accessKeyId, secretAccessKey: 'test' },
  maxAttempts: 1,
});
const ec2 = () => new EC2Client(settings());
const asked = (action: string) => seen.filter((request) => request.action === action);

describe('a request', () => {
  it('reaches the service that owns the operation, with who asks and from where', async () => {
    await ec2().send(new DescribeVolumesCommand({ MaxResults: 5 }));
    const [request] = asked('DescribeVolumes');
    expect(request).toMatchObject({
      service: 'volumes',
      input: { MaxResults: 5 },
      context: { accountId: ACCOUNT, region: 'eu-central-1', principal: root, sourceIp: '127.0.0.1' },
    });
    expect(request?.context.userAgent).toMatch(/aws-sdk-js/);
    expect((request?.context.deadlineMs ?? 0) - Date.now()).toBeLessThanOrEqual(30_000);
  });

  it('is refused without an answer from any service when its key is unknown', async () => {
    const stranger = new EC2Client(settings('999999999999'));
    await expect(stranger.send(new DescribeVolumesCommand({}))).rejects.toMatchObject({ name: 'AuthFailure' });
    expect(asked('DescribeVolumes')).toEqual([]);
  });

  it('is refused as soon as its access key is taken back', async () => {
    const client = ec2();
    await client.send(new DescribeVolumesCommand({}));
    revoked = true;
    try {
      const event = { data: { accessKeyId: ACCOUNT } };
      stack.bus.connection.publish('identity.event.AccessKeyDeleted.v1', JSON.stringify(event));
      await stack.bus.connection.flush();
      await expect
        .poll(() =>
          client.send(new DescribeVolumesCommand({})).then(
            () => '',
            (error: Error) => error.name,
          ),
        )
        .toBe('AuthFailure');
    } finally {
      revoked = false;
    }
  });

  it('that meets a bug is answered with an internal error and nothing about it', async () => {
    const failed = ec2().send(new DescribeVolumesCommand({ VolumeIds: ['vol-bug'] }));
    await expect(failed).rejects.toMatchObject({ name: 'InternalError', $metadata: { httpStatusCode: 500 } });
    await expect(failed).rejects.not.toMatchObject({ message: expect.stringContaining('secret details') as string });
  });
});

describe('plaintext', () => {
  it('crosses the bus sealed, both ways', async () => {
    const client = new KMSClient(settings());
    const { CiphertextBlob } = await client.send(
      new EncryptCommand({ KeyId: 'key', Plaintext: Buffer.from(PLAINTEXT) }),
    );
    expect(Buffer.from(CiphertextBlob ?? []).toString()).toBe([...PLAINTEXT].reverse().join(''));
    const { Plaintext } = await client.send(new DecryptCommand({ CiphertextBlob: Buffer.from('x') }));
    expect(Buffer.from(Plaintext ?? []).toString()).toBe(PLAINTEXT);
    const onTheBus = JSON.stringify(seen);
    for (const encoding of ['utf8', 'base64', 'hex'] as const) {
      expect(onTheBus).not.toContain(Buffer.from(PLAINTEXT).toString(encoding));
    }
    expect(asked('Encrypt')[0]?.context.recipientPublicKey).toBeUndefined();
    expect(asked('Decrypt')[0]?.context.recipientPublicKey).toBeDefined();
  });
});

describe('tags', () => {
  it('go to the owners of their resources, after each was asked whether it has them', async () => {
    await ec2().send(new CreateTagsCommand({ Resources: ['vol-1', 'i-1'], Tags: [{ Key: 'k', Value: 'v' }] }));
    const order = asked('CreateTags').map(({ service, input }) => [service, input['Resources'], input['DryRun']]);
    expect(order).toEqual([
      ['volumes', ['vol-1'], true],
      ['instances', ['i-1'], true],
      ['volumes', ['vol-1'], undefined],
      ['instances', ['i-1'], undefined],
    ]);
  });

  it('are put on nothing when one resource is not there', async () => {
    const tagging = ec2().send(
      new CreateTagsCommand({ Resources: ['vol-1', 'snap-2'], Tags: [{ Key: 'k', Value: 'v' }] }),
    );
    await expect(tagging).rejects.toMatchObject({ name: 'InvalidSnapshot.NotFound' });
    expect(asked('CreateTags').every(({ input }) => input['DryRun'] === true)).toBe(true);
  });

  it('need a resource of a known kind', async () => {
    const tagging = ec2().send(new CreateTagsCommand({ Resources: ['banana-1'], Tags: [{ Key: 'k', Value: 'v' }] }));
    await expect(tagging).rejects.toMatchObject({ name: 'InvalidID', message: "The ID 'banana-1' is not valid" });
  });

  it('are merged in one order and paged', async () => {
    const first = await ec2().send(new DescribeTagsCommand({ MaxResults: 5 }));
    const second = await ec2().send(new DescribeTagsCommand({ MaxResults: 5, NextToken: first.NextToken }));
    const all = [...(first.Tags ?? []), ...(second.Tags ?? [])].map(
      ({ ResourceId, Key }) => `${ResourceId ?? ''} ${Key ?? ''}`,
    );
    expect(all).toEqual(['i-1 a', 'i-1 b', 'snap-1 a', 'snap-1 b', 'vol-1 a', 'vol-1 b']);
    expect(second.NextToken).toBeUndefined();
  });
});

describe('request rates', () => {
  const decrypt = new DecryptCommand({ CiphertextBlob: Buffer.from('x') });
  const throttled = async (maxAttempts: number) => {
    const port = await freePort();
    await stack.start(start, { host: '127.0.0.1', port, requestRates: 'kms:symmetric=0.5,ec2:unfiltered=0.5' });
    return { ...settings(), endpoint: `http://127.0.0.1:${String(port)}`, maxAttempts };
  };

  it('are kept by SDKs that try again, and seen by those that do not', async () => {
    const patient = new KMSClient(await throttled(10));
    const answers = await Promise.all(Array.from({ length: 3 }, () => patient.send(decrypt)));
    expect(answers.map(({ Plaintext }) => Buffer.from(Plaintext ?? []).toString())).toEqual(Array(3).fill(PLAINTEXT));
    expect(Math.max(...answers.map(({ $metadata }) => $metadata.attempts ?? 0))).toBeGreaterThan(1);

    const impatient = await throttled(1);
    const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => new KMSClient(impatient).send(decrypt)));
    const refused = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
    expect(refused.length).toBeGreaterThan(0);
    for (const error of refused) {
      expect(error).toMatchObject({
        name: 'ThrottlingException',
        message: 'You have exceeded the rate at which you may call KMS. Reduce the frequency of your calls.',
      });
    }
    const described = await Promise.allSettled(
      Array.from({ length: 5 }, () => new EC2Client(impatient).send(new DescribeVolumesCommand({}))),
    );
    const limited = described.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as Error] : []));
    expect(limited.length).toBeGreaterThan(0);
    for (const error of limited) {
      expect(error).toMatchObject({ name: 'RequestLimitExceeded', $metadata: { httpStatusCode: 503 } });
    }
  });
});

describe('the admin part', () => {
  it('says which services are not there', async () => {
    const response = await fetch(`${endpoint}/_holdfast/health`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      status: 'unavailable',
      services: { kms: 'ok', volumes: 'ok', 'data-plane': 'unavailable' },
    });
  });

  it('counts requests by operation and code', async () => {
    await ec2().send(new DescribeVolumesCommand({}));
    const text = await (await fetch(`${endpoint}/_holdfast/metrics`)).text();
    expect(text).toMatch(/holdfast_api_requests_total\{[^}]*operation="DescribeVolumes"[^}]*code="OK"[^}]*\} \d+/);
    expect(text).toMatch(/holdfast_api_requests_total\{[^}]*code="AuthFailure"[^}]*\} \d+/);
  });

  it('refuses development requests from web pages', async () => {
    const reset = (headers: Record<string, string>) =>
      fetch(`${endpoint}/_holdfast/reset`, { method: 'POST', headers });
    expect((await reset({ origin: 'https://elsewhere.example' })).status).toBe(403);
  });

  it('refuses a clock that makes no sense', async () => {
    const response = await fetch(`${endpoint}/_holdfast/clock`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"time":"soon"}',
    });
    expect(response.status).toBe(400);
  });
});
