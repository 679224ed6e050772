import {
  CopySnapshotCommand,
  CreateSnapshotCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DescribeSnapshotAttributeCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
  DisableSnapshotBlockPublicAccessCommand,
  EnableSnapshotBlockPublicAccessCommand,
  GetSnapshotBlockPublicAccessStateCommand,
  ModifySnapshotAttributeCommand,
  ResetSnapshotAttributeCommand,
} from '@aws-sdk/client-ec2';
import { CreateGrantCommand, type GrantOperation, ListGrantsCommand } from '@aws-sdk/client-kms';
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { newAccountId, REGION, TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { readDevice, writeDevice } from './devices.ts';
import { sharedStack } from './stack.ts';

let stack: ReturnType<typeof sharedStack>;
let alice: TestAccount;
let bob: TestAccount;
beforeAll(async () => {
  stack = sharedStack();
  alice = new TestAccount(stack, newAccountId());
  bob = new TestAccount(stack, newAccountId());
});

const share = (SnapshotId: string, ...Add: { UserId?: string; Group?: 'all' }[]) =>
  alice.ec2.send(new ModifySnapshotAttributeCommand({ SnapshotId, CreateVolumePermission: { Add } }));
const seenByBob = async (snapshotId: string) => {
  const { Snapshots = [] } = await bob.ec2.send(new DescribeSnapshotsCommand({}));
  return Snapshots.find(({ SnapshotId }) => SnapshotId === snapshotId);
};
const notFound = { name: 'InvalidSnapshot.NotFound' };

/** A completed snapshot of a volume that holds `bytes`. */
const snapshotOf = async (bytes: Buffer, keyArn?: string): Promise<string> => {
  const instanceId = await alice.launch();
  const encryption = keyArn === undefined ? {} : { Encrypted: true, KmsKeyId: keyArn };
  const { VolumeId } = await alice.volume({ Size: 1, ...encryption });
  await writeDevice(await alice.attach(VolumeId, instanceId, '/dev/sdf'), bytes);
  const { SnapshotId = '' } = await alice.ec2.send(new CreateSnapshotCommand({ VolumeId }));
  expect(await alice.snapshotSettled(SnapshotId)).toMatchObject({ State: 'completed' });
  await alice.detach(VolumeId);
  return SnapshotId;
};

const readBack = async (volumeId: string, length: number): Promise<Buffer> =>
  readDevice(await bob.attach(volumeId, await bob.launch(), '/dev/sdf'), length);

const letBobUse = (KeyId: string) =>
  alice.kms.send(
    new CreateGrantCommand({
      KeyId,
      GranteePrincipal: `arn:aws:iam::${bob.accountId}:root`,
      Operations: ['CreateGrant', 'Decrypt', 'DescribeKey', 'ReEncryptFrom'] satisfies GrantOperation[],
    }),
  );

describe('a shared snapshot', () => {
  it('can be seen, tagged, copied and restored by the account it is shared with, until it no longer is', async () => {
    const written = randomBytes(1 << 20);
    const id = await snapshotOf(written);
    await expect(bob.ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, SnapshotId: id }))).rejects.toThrow(
      'Snapshot does not exist',
    );
    await share(id, { UserId: bob.accountId });
    const { CreateVolumePermissions } = await alice.ec2.send(
      new DescribeSnapshotAttributeCommand({ SnapshotId: id, Attribute: 'createVolumePermission' }),
    );
    expect(CreateVolumePermissions).toEqual([{ UserId: bob.accountId }]);
    expect(await seenByBob(id)).toMatchObject({ OwnerId: alice.accountId, State: 'completed' });
    await bob.ec2.send(new CreateTagsCommand({ Resources: [id], Tags: [{ Key: 'mine', Value: 'bob' }] }));
    expect((await seenByBob(id))?.Tags).toEqual([{ Key: 'mine', Value: 'bob' }]);
    expect((await alice.snapshotSettled(id)).Tags).toEqual([]);
    await expect(bob.ec2.send(new DeleteSnapshotCommand({ SnapshotId: id }))).rejects.toMatchObject(notFound);

    const { VolumeId } = await bob.volume({ SnapshotId: id });
    const { SnapshotId: copy = '' } = await bob.ec2.send(
      new CopySnapshotCommand({ SourceSnapshotId: id, SourceRegion: REGION, Encrypted: true }),
    );
    expect(await bob.snapshotSettled(copy)).toMatchObject({ State: 'completed', Encrypted: true });
    await alice.ec2.send(new ResetSnapshotAttributeCommand({ SnapshotId: id, Attribute: 'createVolumePermission' }));
    await alice.ec2.send(new DeleteSnapshotCommand({ SnapshotId: id }));
    expect(await seenByBob(id)).toBeUndefined();
    expect(await readBack(VolumeId, written.length)).toEqual(written);
    expect(await readBack((await bob.volume({ SnapshotId: copy })).VolumeId, written.length)).toEqual(written);
  });

  it('that is encrypted needs its key as well', async () => {
    const [key, own] = [await alice.newKey(), await bob.newKey()];
    const written = randomBytes(1 << 20);
    const id = await snapshotOf(written, key);
    await share(id, { UserId: bob.accountId });
    const copyIt = () =>
      bob.ec2.send(new CopySnapshotCommand({ SourceSnapshotId: id, SourceRegion: REGION, KmsKeyId: own }));

    // Without the key the volume vanishes and the copy fails.
    const { VolumeId: lost = '' } = await bob.ec2.send(
      new CreateVolumeCommand({ AvailabilityZone: ZONE, SnapshotId: id }),
    );
    await eventually(
      async () => (await bob.ec2.send(new DescribeVolumesCommand({}))).Volumes ?? [],
      (volumes) => !volumes.some(({ VolumeId }) => VolumeId === lost),
    );
    const { SnapshotId: failed = '' } = await copyIt();
    expect(await bob.snapshotSettled(failed)).toMatchObject({
      State: 'error',
      StateMessage: 'Given key ID is not accessible',
    });

    await letBobUse(key);
    const grants = async () => {
      const { Grants } = await alice.kms.send(new ListGrantsCommand({ KeyId: key }));
      return Grants?.filter(({ Name }) => Name?.startsWith('ebs-volume-') !== true).length;
    };
    const restored = await bob.volume({ SnapshotId: id, Encrypted: true, KmsKeyId: own });
    expect(restored).toMatchObject({ Encrypted: true, KmsKeyId: own });
    const { KmsKeyId: byDefault, Encrypted } = await bob.volume({ SnapshotId: id });
    expect(Encrypted).toBe(true);
    expect([key, own]).not.toContain(byDefault);
    const { SnapshotId: copy = '' } = await copyIt();
    expect(await bob.snapshotSettled(copy)).toMatchObject({ State: 'completed', KmsKeyId: own });
    expect(await grants()).toBe(1); // Bob's own, and none that EBS made, but the one of Alice's volume.
    expect(await readBack(restored.VolumeId, written.length)).toEqual(written);
    expect(await readBack((await bob.volume({ SnapshotId: copy })).VolumeId, written.length)).toEqual(written);
  });

  it('is never one under the AWS managed key, and never public when it is encrypted', async () => {
    const managed = await alice.volume({ Size: 1, Encrypted: true });
    const customer = await alice.volume({ Size: 1, Encrypted: true, KmsKeyId: await alice.newKey() });
    const snap = async (VolumeId: string) =>
      (await alice.ec2.send(new CreateSnapshotCommand({ VolumeId }))).SnapshotId ?? '';
    const refused = { name: 'OperationNotPermitted' };
    await expect(share(await snap(managed.VolumeId), { UserId: bob.accountId })).rejects.toMatchObject({
      ...refused,
      message: 'Encrypted snapshots with EBS default key cannot be shared',
    });
    await expect(share(await snap(customer.VolumeId), { Group: 'all' })).rejects.toMatchObject({
      ...refused,
      message: 'Encrypted snapshots cannot be shared publicly.',
    });
  });
});

describe('a public snapshot', () => {
  it('is seen by everybody, unless its owner blocks public access', async () => {
    const { VolumeId } = await alice.volume({ Size: 1 });
    const { SnapshotId: id = '' } = await alice.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    await share(id, { Group: 'all' });
    expect(await seenByBob(id)).toMatchObject({ SnapshotId: id });
    await alice.ec2.send(new EnableSnapshotBlockPublicAccessCommand({ State: 'block-all-sharing' }));
    expect(await alice.ec2.send(new GetSnapshotBlockPublicAccessStateCommand({}))).toMatchObject({
      State: 'block-all-sharing',
      ManagedBy: 'account',
    });
    expect(await seenByBob(id)).toBeUndefined();
    await expect(share(id, { Group: 'all' })).rejects.toThrow(
      'Public sharing of snapshots is blocked for this account.',
    );
    await alice.ec2.send(new DisableSnapshotBlockPublicAccessCommand({}));
    expect(await seenByBob(id)).toMatchObject({ SnapshotId: id });
  });
});
