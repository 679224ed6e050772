import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { AwsError } from '@holdfast/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ParsedRequest } from './index.ts';
import { botocoreVersion } from './testing/botocore.ts';
import { startCodecServer, type Answer } from './testing/codec-server.ts';

const BLOCK = Buffer.alloc(524_288);
const CHECKSUM = createHash('sha256').update(BLOCK).digest('base64');
const TAGS = [{ Key: 'odd', Value: '<&"\' é +%20\n' }];

const answers: Record<string, () => Answer> = {
  CreateVolume: () => ({
    output: { VolumeId: 'vol-1', CreateTime: '2024-01-01T00:00:00.000Z', Tags: TAGS, Attachments: [] },
  }),
  DescribeVolumes: () => ({ output: { Volumes: [] } }),
  DeleteVolume: () => ({ output: {} }),
  GenerateDataKey: () => ({ output: { KeyId: 'arn:k', Plaintext: 'AAEC', CiphertextBlob: 'AwQF' } }),
  GetCallerIdentity: () => ({ output: { Account: '123456789012', Arn: 'arn:a', UserId: 'u' } }),
  PutSnapshotBlock: () => ({ output: { Checksum: CHECKSUM, ChecksumAlgorithm: 'SHA256' } }),
  GetSnapshotBlock: () => ({
    output: { DataLength: BLOCK.length, Checksum: CHECKSUM, ChecksumAlgorithm: 'SHA256' },
    payload: BLOCK,
  }),
  DisableKey: () => {
    throw new AwsError({ code: 'NotFoundException', message: 'no key' });
  },
  GetUser: () => {
    throw new AwsError({ code: 'NoSuchEntity', message: 'no user' });
  },
};

describe.runIf(botocoreVersion !== undefined)('botocore’s clients', () => {
  const seen: ParsedRequest[] = [];
  let server: Awaited<ReturnType<typeof startCodecServer>>;
  beforeAll(async () => {
    server = await startCodecServer((request) => {
      seen.push(request);
      return answers[request.operation]!();
    });
  });
  afterAll(() => server.close());

  const call = async (secret: string): Promise<Record<string, Record<string, unknown>>> => {
    const script = fileURLToPath(new URL('./testing/botocore_calls.py', import.meta.url));
    const python = spawn('python3', [script, server.endpoint, secret]);
    const text = { out: '', err: '' };
    python.stdout.on('data', (chunk: Buffer) => (text.out += chunk.toString()));
    python.stderr.on('data', (chunk: Buffer) => (text.err += chunk.toString()));
    const status = await new Promise((resolve) => python.on('close', resolve));
    if (status !== 0) throw new Error(text.err);
    return JSON.parse(text.out) as Record<string, Record<string, unknown>>;
  };

  it('are understood and understand', async () => {
    const results = await call('test');
    const requestId = 'c0ffee00-0000-4000-8000-000000000001';
    expect(results).toEqual({
      createVolume: {
        VolumeId: 'vol-1',
        CreateTime: '2024-01-01T00:00:00+00:00',
        Tags: TAGS,
        Attachments: [],
        RequestId: requestId,
      },
      describeVolumes: { Volumes: [], RequestId: requestId },
      deleteVolume: { RequestId: requestId },
      generateDataKey: { KeyId: 'arn:k', Plaintext: 'AAEC', CiphertextBlob: 'AwQF', RequestId: requestId },
      disableKey: { Error: { Code: 'NotFoundException', Message: 'no key' }, message: 'no key', Status: 400 },
      getCallerIdentity: { Account: '123456789012', Arn: 'arn:a', UserId: 'u', RequestId: requestId },
      putSnapshotBlock: { Checksum: CHECKSUM, ChecksumAlgorithm: 'SHA256', RequestId: requestId },
      getSnapshotBlock: {
        DataLength: BLOCK.length,
        BlockData: BLOCK.length,
        Checksum: CHECKSUM,
        ChecksumAlgorithm: 'SHA256',
        RequestId: requestId,
      },
      getUser: { Error: { Type: 'Sender', Code: 'NoSuchEntity', Message: 'no user' }, Status: 404 },
      presigned: [200, 200],
    });
    const inputOf = (operation: string) => seen.find((request) => request.operation === operation)?.input;
    expect(inputOf('CreateVolume')).toMatchObject({
      Size: 8,
      TagSpecifications: [{ ResourceType: 'volume', Tags: TAGS }],
    });
    expect(inputOf('DescribeVolumes')).toEqual({ Filters: [{ Name: 'tag:a b', Values: ['x'] }] });
    expect(inputOf('GetSnapshotBlock')).toEqual({ SnapshotId: 'snap-1', BlockIndex: 3, BlockToken: 'AA+/==' });
    expect(seen.find(({ operation }) => operation === 'PutSnapshotBlock')?.payload).toEqual(BLOCK);
    expect(seen.at(-1)).toMatchObject({ operation: 'DescribeVolumes', input: { VolumeIds: ['vol-1'] } });
  }, 300_000);

  it('are refused with a wrong secret', async () => {
    const results = await call('other');
    const codes = Object.values(results).map(
      ({ Error, Status }) => `${(Error as { Code: string }).Code} ${String(Status)}`,
    );
    expect(codes).toEqual([
      ...Array<string>(3).fill('AuthFailure 401'),
      ...Array<string>(2).fill('InvalidSignatureException 400'),
      'SignatureDoesNotMatch 403',
      ...Array<string>(2).fill('InvalidSignatureException 403'),
      'SignatureDoesNotMatch 403',
    ]);
  }, 300_000);
});
