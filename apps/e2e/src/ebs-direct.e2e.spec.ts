import {
  CompleteSnapshotCommand,
  EBSClient,
  GetSnapshotBlockCommand,
  ListChangedBlocksCommand,
  type ListChangedBlocksCommandInput,
  ListSnapshotBlocksCommand,
  PutSnapshotBlockCommand,
  type PutSnapshotBlockCommandInput,
  StartSnapshotCommand,
  type StartSnapshotCommandInput,
} from '@aws-sdk/client-ebs';
import {
  CreateSnapshotCommand,
  DeleteSnapshotCommand,
  DescribeSnapshotsCommand,
  DisableEbsEncryptionByDefaultCommand,
  EnableEbsEncryptionByDefaultCommand,
  ModifySnapshotAttributeCommand,
} from '@aws-sdk/client-ec2';
import { DisableKeyCommand } from '@aws-sdk/client-kms';
import { NbdClient } from '@holdfast/nbd/client';
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount } from './account.ts';
import { eventually } from './clients.ts';
import { Coldsnap } from './coldsnap.ts';
import { firstDifference, inParallel, makeImage } from './image-transfer.ts';
import { startStack, type Stack } from './stack.ts';

const BLOCK = 524_288;
const GIB = 2 ** 30;
/** Of a 2 GiB image, MiB that are not zeros: as much as two cores move in some seconds. 2048 fills it. */
const FILLED_MIB = Number(process.env['HOLDFAST_TEST_IMAGE_MIB'] ?? 256);

let stack: Stack;
let account: TestAccount;
let ebs: EBSClient;
beforeAll(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
  ebs = ebsOf(account.accountId);
});
afterAll(() => stack.stop());

const ebsOf = (accountId: string) =>
  new EBSClient({
    ...{ endpoint: stack.endpoint, region: REGION, maxAttempts: 1 },
    credentials: { accessKeyId: accountId, secretAccessKey: 'test' },
  });

const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest();

const start = (input: Partial<StartSnapshotCommandInput> = {}) =>
  ebs.send(new StartSnapshotCommand({ VolumeSize: 1, ...input }));
const started = async (input: Partial<StartSnapshotCommandInput> = {}) => (await start(input)).SnapshotId ?? '';

const put = (SnapshotId: string, BlockIndex: number, bytes: Uint8Array, more: Partial<PutSnapshotBlockCommandInput> = {}) =>
  ebs.send(
    new PutSnapshotBlockCommand({
      ...{ SnapshotId, BlockIndex, BlockData: bytes, DataLength: bytes.length },
      ...{ Checksum: digest(bytes).toString('base64'), ChecksumAlgorithm: 'SHA256' },
      ...more,
    }),
  ); // prettier-ignore

/** Blocks by index, as coldsnap uploads them, and the snapshot completed. */
const upload = async (blocks: ReadonlyMap<number, Buffer>, input: Partial<StartSnapshotCommandInput> = {}) => {
  const snapshotId = await started(input);
  await inParallel(blocks, async ([index, bytes]) => {
    await put(snapshotId, index, bytes);
  });
  const aggregate = createHash('sha256');
  for (const [, bytes] of [...blocks].sort(([a], [b]) => a - b)) aggregate.update(digest(bytes));
  const { Status } = await ebs.send(
    new CompleteSnapshotCommand({
      ...{ SnapshotId: snapshotId, ChangedBlocksCount: blocks.size, Checksum: aggregate.digest('base64') },
      ...{ ChecksumAlgorithm: 'SHA256', ChecksumAggregationMethod: 'LINEAR' },
    }),
  );
  expect(Status).toBe('pending');
  expect(await account.snapshotSettled(snapshotId)).toMatchObject({ State: 'completed', VolumeId: 'vol-ffffffff' });
  return snapshotId;
};

const list = async (SnapshotId: string, MaxResults = 100) => {
  const found: { index: number; token: string }[] = [];
  let NextToken: string | undefined;
  do {
    const page = await ebs.send(new ListSnapshotBlocksCommand({ SnapshotId, MaxResults, NextToken }));
    for (const { BlockIndex = -1, BlockToken = '' } of page.Blocks ?? [])
      found.push({ index: BlockIndex, token: BlockToken });
    ({ NextToken } = page);
  } while (NextToken !== undefined);
  return found;
};

/** With the body read: one that is not keeps its connection. */
const get = async (SnapshotId: string, BlockIndex: number, BlockToken: string) => {
  const { BlockData, ...rest } = await ebs.send(new GetSnapshotBlockCommand({ SnapshotId, BlockIndex, BlockToken }));
  return { ...rest, bytes: Buffer.from((await BlockData?.transformToByteArray()) ?? []) };
};

const download = async (snapshotId: string) => {
  const blocks = new Map<number, Buffer>();
  await inParallel(await list(snapshotId), async ({ index, token }) => {
    const { bytes, Checksum, ChecksumAlgorithm, DataLength } = await get(snapshotId, index, token);
    expect([DataLength, ChecksumAlgorithm, Checksum]).toEqual([BLOCK, 'SHA256', digest(bytes).toString('base64')]);
    blocks.set(index, bytes);
  });
  return blocks;
};

const expectSame = (found: ReadonlyMap<number, Buffer>, expected: ReadonlyMap<number, Buffer>) => {
  expect([...found.keys()].sort((a, b) => a - b)).toEqual([...expected.keys()].sort((a, b) => a - b));
  for (const [index, bytes] of expected) expect(found.get(index)?.equals(bytes), `block ${String(index)}`).toBe(true);
};

/** Turns the services' clocks forward, for as long as `work` takes. */
const later = async (advanceSeconds: number, work: () => Promise<void>) => {
  const turn = (body: object) =>
    fetch(`${stack.endpoint}/_holdfast/clock`, {
      ...{ method: 'POST', headers: { 'content-type': 'application/json' } },
      body: JSON.stringify(body),
    });
  await turn({ advanceSeconds });
  try {
    await work();
  } finally {
    await turn({});
  }
};

const code = (name: string, Reason?: string) =>
  expect.objectContaining(Reason === undefined ? { name } : { name, Reason });

describe.each([['unencrypted'], ['encrypted']])('an %s image of 2 GiB', (kind) => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
    await makeImage(join(folder, 'image'), 2 * GIB, (FILLED_MIB * 2 ** 20) / BLOCK);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const comesBack = async (snapshotId: string) => {
    const copy = join(folder, `copy-${snapshotId}`);
    const blocks = await new Coldsnap(ebs, account.ec2).download(snapshotId, copy);
    expect(await firstDifference(join(folder, 'image'), copy)).toBeNull();
    await rm(copy);
    return blocks;
  };
  let parentId: string;

  it('comes back byte by byte', async () => {
    const KmsKeyArn = kind === 'encrypted' ? await account.newKey() : undefined;
    const Tags = [{ Key: 'made', Value: 'of blocks' }];
    const client = new Coldsnap(ebs, account.ec2);
    const uploaded = await client.upload(join(folder, 'image'), { KmsKeyArn, Tags, Description: 'image' });
    parentId = uploaded.snapshotId;
    expect(await account.snapshotSettled(parentId)).toMatchObject({ State: 'completed', VolumeId: 'vol-ffffffff' });
    expect(await comesBack(parentId)).toBe(uploaded.blocks);
    const { Snapshots } = await account.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [parentId] }));
    expect(Snapshots?.[0]).toMatchObject({
      ...{ Encrypted: kind === 'encrypted', VolumeSize: 2, Description: 'image', Progress: '100%', Tags },
    });
    expect(Snapshots?.[0]?.KmsKeyId).toBe(KmsKeyArn);
  }, 300_000);

  it('has tokens that end: of blocks after a week, of pages after an hour', async () => {
    const input = { SnapshotId: parentId, MaxResults: 100 };
    const { Blocks = [], NextToken } = await ebs.send(new ListSnapshotBlocksCommand(input));
    const { BlockIndex = 0, BlockToken = '' } = Blocks[0] ?? {};
    const page = () => ebs.send(new ListSnapshotBlocksCommand({ ...input, NextToken }));
    await later(3500, async () => void (await page()));
    await later(3700, () => expect(page()).rejects.toEqual(code('ValidationException', 'INVALID_PAGE_TOKEN')));
    await later(6 * 86_400, async () => void (await get(parentId, BlockIndex, BlockToken)));
    await later(7 * 86_400 + 60, () =>
      expect(get(parentId, BlockIndex, BlockToken)).rejects.toEqual(code('ValidationException', 'INVALID_BLOCK_TOKEN')),
    );
  });

  it('is the parent of another', async () => {
    const changed = new Map([0, 600, 4000].map((index) => [index, randomBytes(BLOCK)] as const));
    const childId = await upload(changed, { VolumeSize: 2, ParentSnapshotId: parentId });
    const input = { FirstSnapshotId: parentId, SecondSnapshotId: childId };
    const { ChangedBlocks = [], VolumeSize } = await ebs.send(new ListChangedBlocksCommand(input));
    expect(VolumeSize).toBe(2);
    expect(ChangedBlocks.map(({ BlockIndex }) => BlockIndex)).toEqual([0, 600, 4000]);
    const before = await list(parentId);
    const old = await get(parentId, 0, ChangedBlocks[0]?.FirstBlockToken ?? '');
    await account.ec2.send(new DeleteSnapshotCommand({ SnapshotId: parentId }));
    const blocks = await list(childId);
    const all = new Set([...before.map(({ index }) => index), ...changed.keys()]);
    expect(blocks.map(({ index }) => index)).toEqual([...all].sort((a, b) => a - b));
    const [first, last] = [blocks[0], blocks.at(-1)];
    const now = await get(childId, 0, first?.token ?? '');
    expect([now.bytes.equals(changed.get(0) ?? Buffer.of()), now.bytes.equals(old.bytes)]).toEqual([true, false]);
    expect((await get(childId, last?.index ?? -1, last?.token ?? '')).DataLength).toBe(BLOCK);
  }, 300_000);
});

describe('a snapshot made of blocks', () => {
  it('becomes a volume, whose snapshots can be read', async () => {
    const bytes = randomBytes(BLOCK);
    const snapshotId = await upload(new Map([[2047, bytes]]), { Encrypted: true });
    const { VolumeId } = await account.volume({ SnapshotId: snapshotId });
    const device = await NbdClient.connect(await account.attach(VolumeId, await account.launch(), '/dev/sdf'));
    expect((await device.read(2047 * BLOCK, BLOCK)).equals(bytes)).toBe(true);
    await device.write(0, bytes);
    await device.close();
    const { SnapshotId: next = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    await account.snapshotSettled(next);
    expectSame(await download(next), new Map([[0, bytes], [2047, bytes]]));
    const { SnapshotId: last = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    await account.snapshotSettled(last);
    const pair = (FirstSnapshotId: string) => ({ FirstSnapshotId, SecondSnapshotId: last });
    expect((await ebs.send(new ListChangedBlocksCommand(pair(next)))).ChangedBlocks).toEqual([]);
    const unrelated = ebs.send(new ListChangedBlocksCommand(pair(snapshotId)));
    await expect(unrelated).rejects.toEqual(code('ValidationException', 'UNRELATED_SNAPSHOTS'));
  }, 60_000); // prettier-ignore

  it('ends in error when its blocks do not add up', async () => {
    const snapshotId = await started();
    await put(snapshotId, 1, randomBytes(BLOCK), { Progress: 30 });
    await ebs.send(new CompleteSnapshotCommand({ SnapshotId: snapshotId, ChangedBlocksCount: 2 }));
    const StateMessage = 'Changed blocks count mismatch for snapshot';
    expect(await account.snapshotSettled(snapshotId)).toMatchObject({ State: 'error', StateMessage });
    const again = await ebs.send(new CompleteSnapshotCommand({ SnapshotId: snapshotId, ChangedBlocksCount: 2 }));
    expect(again.Status).toBe('error');
  });

  it('is one for one client token', async () => {
    const ClientToken = randomBytes(8).toString('hex');
    const [first, second] = await Promise.all([start({ ClientToken }), start({ ClientToken })]);
    expect(second.SnapshotId).toBe(first.SnapshotId);
    expect((await start({ ClientToken })).StartTime).toEqual(first.StartTime);
    await expect(start({ ClientToken, VolumeSize: 2 })).rejects.toEqual(code('ConflictException'));
  });

  it('ends when its client is silent for too long', async () => {
    const snapshotId = await started({ Timeout: 10 });
    await later(700, async () => {
      expect((await account.snapshotSettled(snapshotId)).State).toBe('error');
    });
  });

  it('is encrypted by default where that is on, and then has no unencrypted parent', async () => {
    const plain = await upload(new Map());
    await account.ec2.send(new EnableEbsEncryptionByDefaultCommand({}));
    try {
      const { KmsKeyArn, SseType } = await start();
      expect([KmsKeyArn?.startsWith('arn:aws:kms:'), SseType]).toEqual([true, 'sse-kms']);
      for (const input of [{ Encrypted: false }, { ParentSnapshotId: plain }])
        await expect(start(input)).rejects.toEqual(code('ValidationException', 'INVALID_PARAMETER_VALUE'));
    } finally {
      await account.ec2.send(new DisableEbsEncryptionByDefaultCommand({}));
    }
  });

  it('can not be read once its key is disabled', async () => {
    const KmsKeyArn = await account.newKey();
    const snapshotId = await upload(new Map([[0, randomBytes(BLOCK)]]), { KmsKeyArn });
    const [{ token } = { token: '' }] = await list(snapshotId);
    await get(snapshotId, 0, token);
    await account.kms.send(new DisableKeyCommand({ KeyId: KmsKeyArn }));
    await eventually(
      () => get(snapshotId, 0, token).then(() => 'read', (error: { Reason?: string }) => error.Reason),
      (answer) => answer === 'INVALID_DEPENDENCY_REQUEST',
    );
    await expect(start({ KmsKeyArn })).rejects.toEqual(code('ValidationException', 'INVALID_DEPENDENCY_REQUEST'));
    const ParentSnapshotId = snapshotId;
    await expect(start({ ParentSnapshotId })).rejects.toEqual(code('ValidationException', 'INVALID_DEPENDENCY_REQUEST'));
  }); // prettier-ignore
});

describe('EBS direct refuses', () => {
  const block = randomBytes(BLOCK);
  const missing = 'snap-0123456789abcdef0';
  let pending: string;
  let complete: string;
  let token: string;
  beforeAll(async () => {
    pending = await started();
    complete = await upload(new Map([[0, block], [1, block]]));
    [{ token } = { token: '' }] = await list(complete);
  }); // prettier-ignore

  const changed = (input: ListChangedBlocksCommandInput) => ebs.send(new ListChangedBlocksCommand(input));
  const completeAs = (SnapshotId: string, more: object = {}) =>
    ebs.send(new CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 0, ...more }));
  const invalid = (Reason: string, message?: string) => ({
    name: 'ValidationException',
    Reason,
    ...(message === undefined ? {} : { message }),
  });
  const notFound = { name: 'ResourceNotFoundException', Reason: 'SNAPSHOT_NOT_FOUND' };
  const K = 'arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555';

  it.each<[string, () => Promise<unknown>, object]>([
    ['blocks of a snapshot that is not there', () => put(missing, 0, block), notFound],
    ['lists of one that is not there', () => list(missing), { ...notFound, message: `The snapshot '${missing}' does not exist.` }],
    ['to complete one that is not there', () => completeAs(missing), notFound],
    ['a parent that is not there', () => start({ ParentSnapshotId: missing }), notFound],
    ['a key that is not there', () => start({ KmsKeyArn: K }), { name: 'ResourceNotFoundException', Reason: 'DEPENDENCY_RESOURCE_NOT_FOUND', message: 'KMS key not found.' }],
    ['a key and a parent', () => start({ ParentSnapshotId: complete, KmsKeyArn: K }), invalid('INVALID_PARAMETER_VALUE', 'ParentSnapshotId and KmsKeyArn cannot be specified together')],
    ['encryption and a parent', () => start({ ParentSnapshotId: complete, Encrypted: true }), invalid('INVALID_PARAMETER_VALUE', 'ParentSnapshotId and Encrypt cannot be specified together')],
    ['a key without encryption', () => start({ KmsKeyArn: K, Encrypted: false }), invalid('INVALID_PARAMETER_VALUE', 'Encrypt cannot be false when KmsKeyArn is specified')],
    ['a volume too large', () => start({ VolumeSize: 65_537 }), invalid('INVALID_VOLUME_SIZE')],
    ['a tag of AWS', () => start({ Tags: [{ Key: 'aws:x', Value: '' }] }), invalid('INVALID_TAG')],
    ['blocks after completion', () => put(complete, 0, block), invalid('INVALID_SNAPSHOT_ID', 'Snapshot is already completed')],
    ['to read a pending snapshot', () => list(pending), invalid('INVALID_SNAPSHOT_ID', `Source snapshot (${'?'}) is not complete.`)],
    ['a block of another length', () => put(pending, 0, Buffer.of(1)), invalid('INVALID_BLOCK', 'Block data length 1 is not valid, expected 524288')],
    ['a body that is too short', () => put(pending, 0, block.subarray(1), { DataLength: BLOCK }), invalid('INVALID_PARAMETER_VALUE', 'Failed to read block data')],
    ['a block beyond the end', () => put(pending, 2048, block), invalid('INVALID_BLOCK', 'Block index 2048 is beyond the volume size extent')],
    ['another block than its checksum', () => put(pending, 0, block, { Checksum: 'AAAA' }), { name: 'InvalidSignatureException' }],
    ['an algorithm that it does not know', () => put(pending, 0, block, { ChecksumAlgorithm: 'MD5' as 'SHA256' }), invalid('INVALID_PARAMETER_VALUE', "Unsupported Checksum Algorithm 'MD5', supported algorithms are SHA256")],
    ['changes since nothing', () => changed({ FirstSnapshotId: ' ', SecondSnapshotId: complete }), invalid('INVALID_SNAPSHOT_ID', 'First snapshot should not be empty or null')],
    ['a token of another block', () => get(complete, 1, token), invalid('INVALID_BLOCK_TOKEN')],
    ['a token that is none', () => get(complete, 0, 'AAAA'), invalid('INVALID_BLOCK_TOKEN', 'The block token AAAA is invalid.')],
    ['a token of another account', () => ebsOf('444455556666').send(new GetSnapshotBlockCommand({ SnapshotId: complete, BlockIndex: 0, BlockToken: token })), invalid('INVALID_BLOCK_TOKEN')],
    ['a page token that is none', () => ebs.send(new ListSnapshotBlocksCommand({ SnapshotId: complete, NextToken: 'AAAA' })), invalid('INVALID_PAGE_TOKEN', 'The pagination token AAAA is invalid.')],
    ['unrelated snapshots', async () => changed({ FirstSnapshotId: await upload(new Map()), SecondSnapshotId: complete }), invalid('UNRELATED_SNAPSHOTS', 'The snapshots are not related.')],
    ['a checksum without algorithm', () => completeAs(pending, { Checksum: 'AAAA', ChecksumAggregationMethod: 'LINEAR' }), invalid('INVALID_PARAMETER_VALUE', 'Invalid parameter combination. Checksum algorithm is missing.')],
    ['an algorithm without checksum', () => completeAs(pending, { ChecksumAlgorithm: 'SHA256', ChecksumAggregationMethod: 'LINEAR' }), invalid('INVALID_PARAMETER_VALUE', 'Invalid parameter combination. Snapshot checksum is missing.')],
    ['a checksum without aggregation', () => completeAs(pending, { ChecksumAlgorithm: 'SHA256', Checksum: 'AAAA' }), invalid('INVALID_PARAMETER_VALUE', 'Invalid parameter combination. Checksum aggregation method is missing.')],
  ])('%s', async (_, act, expected) => {
    const error = await act().then(() => 'nothing', (thrown: unknown) => thrown);
    expect(error).toMatchObject(JSON.parse(JSON.stringify(expected).replace('(?)', `(${pending})`)) as object);
  }); // prettier-ignore

  it("another account's snapshots", async () => {
    const other = ebsOf('444455556666');
    const commands = [
      new ListSnapshotBlocksCommand({ SnapshotId: complete }),
      new CompleteSnapshotCommand({ SnapshotId: pending, ChangedBlocksCount: 0 }),
    ] as const;
    for (const command of commands)
      await expect(other.send(command as ListSnapshotBlocksCommand)).rejects.toMatchObject(notFound);
  });

  it('a public snapshot, but not one that is shared', async () => {
    const other = ebsOf('444455556666');
    const snapshotId = await upload(new Map([[0, block]]));
    const share = (Add: object[]) =>
      account.ec2.send(new ModifySnapshotAttributeCommand({ SnapshotId: snapshotId, CreateVolumePermission: { Add } }));
    const read = () => other.send(new ListSnapshotBlocksCommand({ SnapshotId: snapshotId }));
    await expect(read()).rejects.toMatchObject(notFound);
    await share([{ Group: 'all' }]);
    await expect(read()).rejects.toMatchObject(invalid('INVALID_SNAPSHOT_ID', 'Public snapshots are not supported'));
    await share([{ UserId: '444455556666' }]);
    const { BlockToken } = (await read()).Blocks?.[0] ?? {};
    const got = await other.send(new GetSnapshotBlockCommand({ SnapshotId: snapshotId, BlockIndex: 0, BlockToken }));
    expect(block.equals((await got.BlockData?.transformToByteArray()) ?? Buffer.of())).toBe(true);
    // A token is for the account that it was given to, and reading is all that is shared.
    await expect(get(snapshotId, 0, BlockToken ?? '')).rejects.toMatchObject(invalid('INVALID_BLOCK_TOKEN'));
    const child = new StartSnapshotCommand({ VolumeSize: 1, ParentSnapshotId: snapshotId });
    await expect(other.send(child)).rejects.toMatchObject(notFound);
  });

  it('more than 100 pending snapshots of an account', async () => {
    const many = ebsOf('777788889999');
    const starts = () => many.send(new StartSnapshotCommand({ VolumeSize: 1 }));
    await inParallel(Array(100).keys(), async () => {
      await starts();
    });
    await expect(starts()).rejects.toMatchObject({ name: 'ConcurrentLimitExceededException' });
  }, 300_000);
});
