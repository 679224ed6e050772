import { createHash, randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { BLOCK_SIZE_BYTES } from '@holdfast/block-store';
import { type ListedBlock, newSnapshotId, newVolumeId, type SnapshotId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { turnClocks } from '@holdfast/service-kit';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BlockClient, checksumOf, startUpload } from './testing/block-client.ts';
import { buildDataPlane, filesUnder, removeBundle, TestHost, until } from './testing/harness.ts';

let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle);
  await host.start();
}, 300_000);
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

const block = () => randomBytes(BLOCK_SIZE_BYTES);
const linear = (blocks: readonly Buffer[]) => {
  const hash = createHash('sha256');
  for (const bytes of blocks) hash.update(createHash('sha256').update(bytes).digest());
  return hash.digest('base64');
};
const complete = async (snapshotId: SnapshotId, changedBlocksCount: number, checksum?: string) => {
  await host.call('CompleteBlockUpload', { snapshotId, changedBlocksCount, checksum });
  return host.settled(snapshotId);
};
const listed = async (snapshotId: SnapshotId, more: { firstSnapshotId?: SnapshotId } = {}): Promise<ListedBlock[]> =>
  (await host.call('ListBlocks', { snapshotId, startingBlockIndex: 0, limit: 100, ...more })).blocks;

describe.each([
  ['unencrypted', undefined],
  ['encrypted', 'direct'],
])('an %s snapshot made of blocks', (_, keyId) => {
  const key = (snapshotId: SnapshotId) => (keyId === undefined ? undefined : host.kms.use(keyId, snapshotId));
  const [zero, first, last] = [Buffer.alloc(BLOCK_SIZE_BYTES), block(), block()];
  const snapshotId = newSnapshotId();
  const childId = newSnapshotId();

  it('holds what was put, in any order and more than once', async () => {
    const { client } = await startUpload(host, { snapshotId, dataKey: key(snapshotId) });
    const answers = await Promise.all([client.put(2047, last), client.put(3, zero), client.put(0, block())]);
    expect(answers.map(({ code }) => code)).toEqual([undefined, undefined, undefined]);
    expect((await client.put(0, first)).code).toBeUndefined();
    expect(await complete(snapshotId, 3, linear([first, zero, last]))).toEqual({ state: 'completed', progress: 100 });
    expect(await listed(snapshotId)).toEqual([0, 3, 2047].map((index) => [index, 'second']));
    const reader = await BlockClient.open(host, { snapshotId, operation: 'get', dataKey: key(snapshotId) });
    for (const [index, bytes] of [[0, first], [3, zero], [2047, last]] as const) {
      const got = await reader.get(index);
      expect(got.body.equals(bytes)).toBe(true);
      expect(got.checksum).toBe(checksumOf(bytes));
    }
    expect((await reader.get(1)).code).toBe('NoSuchBlock');
  }); // prettier-ignore

  it('can be changed by a child, which inherits the rest', async () => {
    const changed = block();
    const dataKey = key(snapshotId);
    const { client } = await startUpload(host, { snapshotId: childId, sizeGiB: 2, parentSnapshotId: snapshotId, dataKey });
    await client.put(3, changed);
    await client.put(4000, first);
    expect(await complete(childId, 2, linear([changed, first]))).toMatchObject({ state: 'completed' });
    expect((await listed(childId)).map(([index]) => index)).toEqual([0, 3, 2047, 4000]);
    expect(await listed(childId, { firstSnapshotId: snapshotId })).toEqual([[3, 'both'], [4000, 'second']]);
    expect(await listed(snapshotId, { firstSnapshotId: childId })).toEqual([[3, 'both'], [4000, 'first']]);
    const reader = await BlockClient.open(host, { snapshotId: childId, operation: 'get', dataKey });
    expect((await reader.get(0)).body.equals(first)).toBe(true);
    expect((await reader.get(3)).body.equals(changed)).toBe(true);
  }); // prettier-ignore

  it('makes volumes', async () => {
    const volumeId = newVolumeId();
    const dataKey = key(snapshotId);
    await host.allocate({ volumeId, sizeGiB: 2, dataKey, source: { snapshotId: childId, dataKey } });
    const { socketPath } = await host.attach(volumeId, dataKey);
    const device = await NbdClient.connect(socketPath);
    expect((await device.read(0, BLOCK_SIZE_BYTES)).equals(first)).toBe(true);
    expect((await device.read(4000 * BLOCK_SIZE_BYTES, BLOCK_SIZE_BYTES)).equals(first)).toBe(true);
    await device.close();
  });

  it('lies on the disk as its encryption says', () => {
    const needle = first.subarray(4096, 4160);
    const found = filesUnder(join(host.home, 'data-plane', 'blocks')).some(([, bytes]) => bytes.includes(needle));
    expect(found).toBe(keyId === undefined);
  });
});

describe('an upload', () => {
  it('fails when the blocks are not as many as its client says', async () => {
    const { snapshotId, client } = await startUpload(host);
    await client.put(1, block());
    const reason = 'Changed blocks count mismatch for snapshot';
    expect(await complete(snapshotId, 2)).toEqual({ state: 'failed', progress: 0, reason });
  });

  it('fails when the blocks are not those its client says', async () => {
    const { snapshotId, client } = await startUpload(host);
    await client.put(1, block());
    const reason = 'Checksum mismatch for snapshot';
    expect(await complete(snapshotId, 1, checksumOf(Buffer.of(1)))).toEqual({ state: 'failed', progress: 0, reason });
  });

  it('may be of no block at all', async () => {
    const { snapshotId } = await startUpload(host);
    expect(await complete(snapshotId, 0, linear([]))).toMatchObject({ state: 'completed' });
    expect(await listed(snapshotId)).toEqual([]);
  });

  it('takes no block once it is to be completed', async () => {
    const { snapshotId, client } = await startUpload(host);
    await client.put(1, block());
    await complete(snapshotId, 1);
    expect((await client.put(2, block())).code).toBe('TicketRefused');
    const again = BlockClient.open(host, { snapshotId, operation: 'put' });
    await expect(again).rejects.toMatchObject({ code: 'UploadClosed' });
  });

  it('tells the progress that its client tells', async () => {
    const { snapshotId, client } = await startUpload(host);
    await client.put(1, block(), { progress: 40 });
    await until('it is 40 %', async () => (await host.call('GetSnapshotProgress', { snapshotId })).progress === 40);
    await host.call('RemoveSnapshot', { snapshotId });
    expect(await host.call('GetSnapshotProgress', { snapshotId })).toEqual({ state: 'unknown', progress: 0 });
  });

  it('ends when no block comes for as long as its client said', async () => {
    const { snapshotId, client } = await startUpload(host, { timeoutMinutes: 10 });
    const turn = (minutes: number) => turnClocks(host.bus.connection, ['data-plane'], minutes * 60_000);
    const state = async () => (await host.call('GetSnapshotProgress', { snapshotId })).state;
    try {
      await turn(9);
      await client.put(1, block());
      await until('the block is noted', async () => (await client.put(1, block(), { progress: 7 })).code === undefined);
      await turn(18);
      expect(await state()).toBe('copying');
      await turn(30);
      await until('it has failed', async () => (await state()) === 'failed');
      expect((await client.put(2, block())).code).toBe('TicketRefused');
    } finally {
      await turn(0);
    }
  });

  it('keeps what was answered when everything is killed', async () => {
    const [one, two] = [block(), block()];
    const snapshotId = newSnapshotId();
    const dataKey = host.kms.use('killed', snapshotId);
    const { client } = await startUpload(host, { snapshotId, dataKey });
    await client.put(5, one);
    await host.killService('SIGKILL');
    await host.startService();
    const next = await BlockClient.open(host, { snapshotId, operation: 'put', dataKey });
    expect((await next.put(6, two)).code).toBeUndefined();
    expect(await complete(snapshotId, 2, linear([one, two]))).toMatchObject({ state: 'completed' });
  });

  it('is refused without its key', async () => {
    const snapshotId = newSnapshotId();
    const dataKey = host.kms.use('disabled', snapshotId);
    await startUpload(host, { snapshotId, dataKey });
    host.kms.disabled.add('disabled');
    const refused = { code: 'KmsKeyUnusable', members: { kmsCode: 'DisabledException' } };
    await expect(BlockClient.open(host, { snapshotId, operation: 'put', dataKey })).rejects.toMatchObject(refused);
    const other = newSnapshotId();
    const start = { snapshotId: other, sizeGiB: 1, timeoutMinutes: 60, dataKey: host.kms.use('disabled', other) };
    await expect(host.call('StartBlockUpload', start)).rejects.toMatchObject(refused);
  });
});

describe('a ticket', () => {
  it('is for one block, operation, snapshot, account and moment', async () => {
    const { client } = await startUpload(host);
    const bytes = block();
    const checksum = checksumOf(bytes);
    const [payload = '', mac = ''] = client.ticket(1, { checksum }).split('.');
    const altered = Buffer.from(
      Buffer.from(payload, 'base64url').toString().replace('"blockIndex":1', '"blockIndex":2'),
    );
    const refused = [
      `${altered.toString('base64url')}.${mac}`,
      client.ticket(1, { checksum, operation: 'get' }),
      client.ticket(1, { checksum, snapshotId: newSnapshotId() }),
      client.ticket(1, { checksum, accountId: '999999999999' }),
      client.ticket(1, { checksum, sessionId: 'another' }),
      client.ticket(1, { checksum, expiresAtMs: Date.now() - 1 }),
      '', '.', 'a.b.c', payload,
    ]; // prettier-ignore
    for (const ticket of refused) {
      expect((await client.send(ticket, bytes)).code).toBe('TicketRefused');
    }
    expect((await client.send(client.ticket(1))).code).toBe('TicketRefused');
  });

  it('is no way around the checksum, the length or the size', async () => {
    const { client } = await startUpload(host);
    const bytes = block();
    const wrong = await client.put(1, bytes, { checksum: checksumOf(Buffer.of(1)) });
    expect(wrong.code).toBe('ChecksumMismatch');
    await expect(client.put(1, bytes.subarray(1))).rejects.toThrow('less than a block');
    expect((await client.put(2048, bytes)).code).toBe('Failed');
  });
});
