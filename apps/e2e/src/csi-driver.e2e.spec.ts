import { CompleteSnapshotCommand, EBSClient, StartSnapshotCommand } from '@aws-sdk/client-ebs';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, stat, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newAccountId, REGION, TestAccount, ZONE } from './account.ts';
import { Coldsnap } from './coldsnap.ts';
import { CsiDriver } from './csi-driver.ts';
import { readDevice, writeDevice } from './devices.ts';
import { BLOCK_BYTES, makeImage, readAt } from './image-transfer.ts';
import { sharedStack } from './stack.ts';

let stack: ReturnType<typeof sharedStack>;
let account: TestAccount;
let driver: CsiDriver;
beforeAll(async () => {
  stack = sharedStack();
  account = new TestAccount(stack, newAccountId());
  driver = new CsiDriver(account.ec2);
});

const deviceAt = (instanceId: string, device: string): string => join(stack.home, 'instances', instanceId, device);

it('is alive', async () => {
  expect(await driver.probe()).toBe(true);
});

it('serves a volume through its life: created, attached, grown, snapshotted, restored, detached, deleted', async () => {
  const [kmsKeyId, node, other] = await Promise.all([account.newKey(), account.launch(), account.launch()]);
  const name = 'pvc-5d1f7c1e';
  // A provisioner that is asked twice at once, and a third time later, has made one volume.
  const options = { sizeGiB: 4, zone: ZONE, kmsKeyId };
  const volumeIds = await Promise.all([1, 2].map(() => driver.createDisk(name, options)));
  volumeIds.push(await driver.createDisk(name, options));
  expect(new Set(volumeIds).size).toBe(1);
  const [volumeId = ''] = volumeIds;
  expect(await driver.diskByName(name)).toMatchObject({ VolumeId: volumeId, Encrypted: true, KmsKeyId: kmsKeyId });
  // The same name with other capacity is a contradiction, which the driver reports.
  await expect(driver.createDisk(name, { ...options, sizeGiB: 5 })).rejects.toMatchObject({
    name: 'IdempotentParameterMismatch',
  });

  const device = await driver.attachDisk(volumeId, node);
  expect(await driver.attachDisk(volumeId, node)).toBe(device);
  await expect(driver.attachDisk(volumeId, other)).rejects.toMatchObject({ name: 'VolumeInUse' });
  await expect(driver.deleteDisk(volumeId)).rejects.toMatchObject({ name: 'VolumeInUse' });
  const written = randomBytes(1 << 20);
  await writeDevice(deviceAt(node, device), written);

  await driver.resizeDisk(volumeId, 6);
  await driver.resizeDisk(volumeId, 6); // Asked again: nothing left to do.
  expect(await driver.disk(volumeId)).toMatchObject({ Size: 6, State: 'in-use' });

  const { SnapshotId: snapshotId = '' } = await driver.createSnapshot('snap-a', volumeId);
  expect((await driver.createSnapshot('snap-a', volumeId)).SnapshotId).toBe(snapshotId);
  await driver.snapshotReady(snapshotId);
  expect((await driver.listSnapshots(volumeId)).Snapshots?.map((one) => one.SnapshotId)).toEqual([snapshotId]);
  expect((await driver.listSnapshots(volumeId, 5)).NextToken).toBeUndefined();

  const restored = await driver.createDisk('pvc-restored', { sizeGiB: 8, zone: ZONE, encrypted: true, snapshotId });
  const restoredDevice = await driver.attachDisk(restored, other);
  expect(await readDevice(deviceAt(other, restoredDevice), written.length)).toEqual(written);

  await driver.modifyTags(restored, { tier: 'gold' }, ['ebs.csi.aws.com/cluster']);
  expect((await driver.disk(restored)).Tags?.map(({ Key }) => Key).sort()).toEqual(['CSIVolumeName', 'tier']);

  // Detaching and deleting are asked until they are done, and then once more.
  for (const [id, at] of [
    [volumeId, node],
    [restored, other],
  ] as const) {
    expect(await driver.detachDisk(id, at)).toBe('done');
    expect(await driver.detachDisk(id, at)).toBe('gone');
    expect(await driver.deleteDisk(id)).toBe('done');
    expect(await driver.deleteDisk(id)).toBe('gone');
  }
  expect(await driver.deleteSnapshot(snapshotId)).toBe('done');
  expect(await driver.deleteSnapshot(snapshotId)).toBe('gone');
  expect(await driver.diskByName(name)).toBeUndefined();
});

it('moves a volume between nodes that ask for it at once', async () => {
  const nodes = await Promise.all([account.launch(), account.launch()]);
  const volumeId = await driver.createDisk('pvc-moved', { sizeGiB: 1, zone: ZONE, encrypted: true });
  for (let round = 0; round < 3; round++) {
    const answers = await Promise.allSettled(nodes.map((node) => driver.attachDisk(volumeId, node)));
    const won = nodes.filter((_, at) => answers[at]?.status === 'fulfilled');
    expect(won).toHaveLength(1);
    const { Attachments } = await driver.disk(volumeId);
    expect(Attachments?.map(({ InstanceId }) => InstanceId)).toEqual(won);
    await driver.detachDisk(volumeId, won[0] ?? '');
  }
  expect(await driver.deleteDisk(volumeId)).toBe('done');
});

describe('coldsnap', () => {
  const FILLED_BLOCKS = 48;
  const IMAGE_BLOCKS = 129;
  /** Its last block is not a whole one. */
  const IMAGE_BYTES = IMAGE_BLOCKS * BLOCK_BYTES - 1000;
  let folder: string;
  let image: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'holdfast-coldsnap-'));
    image = join(folder, 'image');
    await makeImage(image, IMAGE_BLOCKS * BLOCK_BYTES, FILLED_BLOCKS);
    await truncate(image, IMAGE_BYTES);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  const client = () =>
    new EBSClient({
      ...{ endpoint: stack.endpoint, region: REGION, maxAttempts: 1 },
      credentials: { accessKeyId: account.accountId, secretAccessKey: 'test' },
    });
  const coldsnap = (ebs: EBSClient = client()) => new Coldsnap(ebs, account.ec2);
  const firstBytes = async (path: string) => {
    const file = await open(path);
    try {
      return await readAt(file, 0, IMAGE_BLOCKS * BLOCK_BYTES);
    } finally {
      await file.close();
    }
  };

  /** Every third call is answered to nobody; every fourth is made twice at once, which its server may refuse. */
  const overBadLine = (): EBSClient => {
    const ebs = client();
    let calls = 0;
    ebs.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const isPut = commandName === 'PutSnapshotBlockCommand';
          if (!isPut && commandName !== 'GetSnapshotBlockCommand') return next(args);
          const nth = calls++;
          // The body of an answer that nobody reads would hold its connection.
          if (nth % 3 === 0 && !isPut) throw new Error('the request was lost');
          const [first, second] = await Promise.allSettled(isPut && nth % 4 === 0 ? [next(args), next(args)] : [next(args)]);
          if (nth % 3 === 0) throw new Error('the answer was lost');
          if (second?.status === 'rejected') throw second.reason;
          if (first?.status === 'rejected') throw first.reason;
          if (first === undefined) throw new Error('nothing was sent');
          return first.value;
        },
      { step: 'initialize' },
    ); // prettier-ignore
    return ebs;
  };

  it('turns an image into a snapshot and back, over a line that loses and doubles what it carries', async () => {
    const KmsKeyArn = await account.newKey();
    const { snapshotId, blocks } = await coldsnap(overBadLine()).upload(image, { KmsKeyArn, Description: 'image' });
    await coldsnap().wait(snapshotId);
    expect(blocks).toBe(FILLED_BLOCKS);
    const copies = [join(folder, 'copy-1'), join(folder, 'copy-2')];
    // Two clients at once, which do not hinder one another.
    const counts = await Promise.all(copies.map((copy) => coldsnap(overBadLine()).download(snapshotId, copy)));
    expect(counts).toEqual([FILLED_BLOCKS, FILLED_BLOCKS]);
    const expected = await firstBytes(image);
    for (const copy of copies) {
      expect((await stat(copy)).size).toBe(2 ** 30);
      expect((await firstBytes(copy)).equals(expected)).toBe(true);
    }
  });

  it('gives up an upload of which one block is never taken, and a snapshot that does not add up', async () => {
    const ebs = client();
    let refused = 0;
    ebs.middlewareStack.add(
      (next, { commandName }) =>
        async (args) => {
          const { BlockIndex } = args.input as { BlockIndex?: number };
          if (commandName !== 'PutSnapshotBlockCommand' || BlockIndex !== 0) return next(args);
          refused++;
          throw new Error('never');
        },
      { step: 'initialize' },
    );
    await expect(coldsnap(ebs).upload(image)).rejects.toThrow('never');
    expect(refused).toBe(12);
    const { SnapshotId = '' } = await client().send(new StartSnapshotCommand({ VolumeSize: 1 }));
    await client().send(new CompleteSnapshotCommand({ SnapshotId, ChangedBlocksCount: 1 }));
    await expect(coldsnap().wait(SnapshotId)).rejects.toThrow('Changed blocks count mismatch for snapshot');
  });
});
