import {
  AttachVolumeCommand,
  CopySnapshotCommand,
  CreateSnapshotCommand,
  CreateTagsCommand,
  CreateVolumeCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeTagsCommand,
  DescribeVolumesCommand,
  DisableEbsEncryptionByDefaultCommand,
  EnableEbsEncryptionByDefaultCommand,
  GetEbsDefaultKmsKeyIdCommand,
  GetEbsEncryptionByDefaultCommand,
  ModifyEbsDefaultKmsKeyIdCommand,
  ResetEbsDefaultKmsKeyIdCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { CreateKeyCommand, DisableKeyCommand, ListGrantsCommand } from '@aws-sdk/client-kms';
import { scanForPlaintext } from '@holdfast/plaintext-scan';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { readDevice, writeDevice } from './devices.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
let account: TestAccount;
beforeAll(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
});
afterAll(() => stack.stop());

const completed = async (snapshotId: string) => {
  const snapshot = await account.snapshotSettled(snapshotId);
  expect(snapshot).toMatchObject({ State: 'completed', Progress: '100%' });
  return snapshot;
};

describe('the main job', () => {
  it('keeps what is written to an encrypted volume through snapshot, restore, re-encryption and copy', async () => {
    const [keyA, keyB, keyC] = [await account.newKey(), await account.newKey(), await account.newKey()];
    const instanceId = await account.launch();
    const written = Buffer.concat([
      Buffer.from('a line of plaintext that must never touch the disk'),
      randomBytes(3 << 20),
    ]);

    const original = await account.volume({ Size: 1, Encrypted: true, KmsKeyId: keyA });
    expect(original).toMatchObject({ Encrypted: true, KmsKeyId: keyA, Size: 1, VolumeType: 'gp2' });
    const socket = await account.attach(original.VolumeId ?? '', instanceId, '/dev/sdf');
    await writeDevice(socket, written);

    const { SnapshotId: first = '' } = await account.ec2.send(
      new CreateSnapshotCommand({ VolumeId: original.VolumeId }),
    );
    await writeDevice(socket, randomBytes(1 << 20)); // Writes go on; the snapshot does not see them.
    const snapshot = await completed(first);
    expect(snapshot).toMatchObject({ Encrypted: true, KmsKeyId: keyA, VolumeSize: 1, VolumeId: original.VolumeId });

    const { SnapshotId: copy = '' } = await account.ec2.send(
      new CopySnapshotCommand({ SourceSnapshotId: first, SourceRegion: REGION, Encrypted: true, KmsKeyId: keyC }),
    );
    expect(await completed(copy)).toMatchObject({ Encrypted: true, KmsKeyId: keyC, VolumeId: 'vol-ffffffff' });

    const restored = [
      { volume: await account.volume({ SnapshotId: first }), keyArn: keyA },
      { volume: await account.volume({ SnapshotId: first, Encrypted: true, KmsKeyId: keyB }), keyArn: keyB },
      { volume: await account.volume({ SnapshotId: copy }), keyArn: keyC },
    ];
    for (const [
      i,
      {
        volume: { VolumeId = '', KmsKeyId },
        keyArn,
      },
    ] of restored.entries()) {
      expect(KmsKeyId).toBe(keyArn);
      const device = await account.attach(VolumeId, instanceId, `/dev/sd${'ghi'.charAt(i)}`);
      expect((await readDevice(device, written.length)).equals(written)).toBe(true);
      await account.detach(VolumeId);
    }
    expect((await scanForPlaintext(stack.home, [Buffer.from('a line of plaintext that must never')])).found).toEqual(
      [],
    );

    await account.detach(original.VolumeId ?? '');
    for (const SnapshotId of [first, copy]) await account.ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
    const own = [original, ...restored.map((r) => r.volume)].map(({ VolumeId = '' }) => VolumeId);
    for (const VolumeId of own) await account.ec2.send(new DeleteVolumeCommand({ VolumeId }));
    await eventually(
      () => account.ec2.send(new DescribeVolumesCommand({})),
      ({ Volumes }) => Volumes?.every(({ VolumeId = '' }) => !own.includes(VolumeId)) === true,
    );
    for (const KeyId of [keyA, keyB, keyC]) {
      expect((await account.kms.send(new ListGrantsCommand({ KeyId }))).Grants).toEqual([]);
    }
  });

  it('writes plaintext to disk only for a volume that is not encrypted', async () => {
    const instanceId = await account.launch();
    const marker = `plain marker ${randomBytes(8).toString('hex')}`;
    const { VolumeId = '', Encrypted } = await account.volume({ Size: 1 });
    expect(Encrypted).toBe(false);
    await writeDevice(await account.attach(VolumeId, instanceId, '/dev/sdf'), Buffer.from(marker));
    await account.detach(VolumeId);
    expect((await scanForPlaintext(stack.home, [Buffer.from(marker)])).found).toHaveLength(1);
  });

  it('goes on under a disabled key while attached and refuses the next attach', async () => {
    const key = await account.newKey();
    const instanceId = await account.launch();
    const { VolumeId = '' } = await account.volume({ Size: 1, Encrypted: true, KmsKeyId: key });
    const socket = await account.attach(VolumeId, instanceId, '/dev/sdf');
    await account.kms.send(new DisableKeyCommand({ KeyId: key }));
    const data = randomBytes(1 << 16);
    await writeDevice(socket, data);
    expect((await readDevice(socket, data.length)).equals(data)).toBe(true);
    await account.detach(VolumeId);
    await expect(
      account.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId: instanceId, Device: '/dev/sdf' })),
    ).rejects.toMatchObject({
      name: 'CustomerKeyHasBeenRevoked',
      message: `Volume ${VolumeId} cannot be attached. The encrypted volume was unable to access the KMS master key.`,
    });
    const { Volumes } = await account.ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] }));
    expect(Volumes?.[0]).toMatchObject({ State: 'available', Attachments: [] });
    const { Grants } = await account.kms.send(new ListGrantsCommand({ KeyId: key }));
    expect(Grants?.map(({ GranteePrincipal }) => GranteePrincipal)).toEqual([`ec2.${REGION}.amazonaws.com`]);
  });

  it('lets a volume under a bad key vanish, and burns its client token', async () => {
    const input = {
      AvailabilityZone: ZONE,
      Size: 1,
      Encrypted: true,
      KmsKeyId: 'alias/no-such-key',
      ClientToken: 'burned',
    };
    const { VolumeId = '', State } = await account.ec2.send(new CreateVolumeCommand(input));
    expect(State).toBe('creating');
    const gone = await eventually(
      () =>
        account.ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] })).then(
          () => '',
          (error: Error) => error.name,
        ),
      (name) => name !== '',
    );
    expect(gone).toBe('InvalidVolume.NotFound');
    await expect(account.ec2.send(new CreateVolumeCommand(input))).rejects.toMatchObject({
      name: 'IdempotentParameterMismatch',
    });
  });

  it('detaches what an instance held when it is terminated', async () => {
    const instanceId = await account.launch();
    const { VolumeId = '' } = await account.volume({ Size: 1, Encrypted: true });
    await account.attach(VolumeId, instanceId, '/dev/sdf');
    await account.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
    await eventually(
      () => account.ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] })),
      ({ Volumes }) => Volumes?.[0]?.State === 'available',
    );
  });
});

describe('encryption settings', () => {
  it('encrypt new volumes by default, under the key that is set', async () => {
    const { ec2: settings, kms } = new TestAccount(stack, '444455556666').clients;
    expect(await settings.send(new GetEbsEncryptionByDefaultCommand({}))).toMatchObject({
      EbsEncryptionByDefault: false,
    });
    expect(await settings.send(new GetEbsDefaultKmsKeyIdCommand({}))).toMatchObject({ KmsKeyId: 'alias/aws/ebs' });
    await settings.send(new EnableEbsEncryptionByDefaultCommand({}));
    const key = (await kms.send(new CreateKeyCommand({}))).KeyMetadata?.Arn ?? '';
    expect(await settings.send(new ModifyEbsDefaultKmsKeyIdCommand({ KmsKeyId: key }))).toMatchObject({
      KmsKeyId: key,
    });
    const created = await settings.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, Size: 1 }));
    expect(created.Encrypted).toBe(true);
    expect(created.KmsKeyId).toBeUndefined();
    const { Volumes } = await eventually(
      () => settings.send(new DescribeVolumesCommand({ VolumeIds: [created.VolumeId ?? ''] })),
      (answer) => answer.Volumes?.[0]?.State === 'available',
    );
    expect(Volumes?.[0]?.KmsKeyId).toBe(key);
    const reset = await settings.send(new ResetEbsDefaultKmsKeyIdCommand({}));
    expect(reset.KmsKeyId).toMatch(/^arn:aws:kms:eu-central-1:444455556666:key\/[0-9a-f-]{36}$/);
    expect(reset.KmsKeyId).not.toBe(key);
    await settings.send(new DisableEbsEncryptionByDefaultCommand({}));
    expect(await settings.send(new GetEbsEncryptionByDefaultCommand({}))).toMatchObject({
      EbsEncryptionByDefault: false,
    });
  });
});

describe('tags', () => {
  it('are put on volumes, snapshots and instances in one call and found again', async () => {
    const { VolumeId = '' } = await account.volume({
      Size: 1,
      TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'Name', Value: 'data' }] }],
    });
    const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    const instanceId = await account.launch();
    await account.ec2.send(
      new CreateTagsCommand({ Resources: [VolumeId, SnapshotId, instanceId], Tags: [{ Key: 'stage', Value: 'test' }] }),
    );
    const { Tags } = await account.ec2.send(new DescribeTagsCommand({ Filters: [{ Name: 'key', Values: ['stage'] }] }));
    expect(Tags?.map(({ ResourceId, ResourceType }) => `${ResourceType ?? ''} ${ResourceId ?? ''}`).sort()).toEqual(
      [`instance ${instanceId}`, `snapshot ${SnapshotId}`, `volume ${VolumeId}`].sort(),
    );
    await expect(
      account.ec2.send(
        new CreateTagsCommand({
          Resources: [VolumeId, 'vol-0123456789abcdef0'],
          Tags: [{ Key: 'half', Value: 'done' }],
        }),
      ),
    ).rejects.toMatchObject({ name: 'InvalidVolume.NotFound' });
    const { Volumes } = await account.ec2.send(
      new DescribeVolumesCommand({ Filters: [{ Name: 'tag:half', Values: ['done'] }] }),
    );
    expect(Volumes).toEqual([]);
  });
});
