import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestAccount, ZONE } from './account.ts';
import { CsiDriver } from './csi-driver.ts';
import { readDevice, writeDevice } from './devices.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
let account: TestAccount;
let driver: CsiDriver;
beforeAll(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
  driver = new CsiDriver(account.ec2);
});
afterAll(() => stack.stop());

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
