import {
  AttachVolumeCommand,
  CopySnapshotCommand,
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  ModifyVolumeCommand,
  RunInstancesCommand,
} from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount, ZONE } from './account.ts';
import { badKeys, importedKey, SPOILERS } from './bad-keys.ts';
import { eventually } from './clients.ts';
import { type Stack, startStack } from './stack.ts';
import { type Traces, tracesOf } from './traces.ts';

// Whatever fails or is refused leaves nothing: no grant, no file, no resource, no story without an end.

let stack: Stack;
let account: TestAccount;
let keys: Record<string, string>;
let snapshots: Record<'plain' | 'encrypted', string>;
let imageId: string;

const traces = () => tracesOf(account, stack.home);

/** What was there before is there again, and nothing else, once everything has come to its end. */
const leavesNothing = async (before: Traces) => {
  await expect.poll(traces, { interval: 200 }).toEqual(before);
};

beforeAll(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
  keys = await badKeys(stack, account);
  const snapshotOf = async (input: object) => {
    const { VolumeId } = await account.volume({ Size: 1, ...input });
    const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    await account.snapshotSettled(SnapshotId);
    return SnapshotId;
  };
  const good = { Encrypted: true, KmsKeyId: await account.newKey() };
  snapshots = { plain: await snapshotOf({}), encrypted: await snapshotOf(good) };
  const { Images } = await account.ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
  imageId = Images?.find(({ RootDeviceType }) => RootDeviceType === 'ebs')?.ImageId ?? '';
}, 300_000);
afterAll(() => stack.stop());

describe('what is left behind', () => {
  it('is noticed', { timeout: 300_000 }, async () => {
    const before = await traces();
    const { VolumeId } = await account.volume({ Size: 1, Encrypted: true, KmsKeyId: await account.newKey() });
    await account.attach(VolumeId, await account.launch(), '/dev/sdf');
    const after = await traces();
    for (const kind of ['grants', 'files', 'resources', 'openStreams'] as const)
      expect(after[kind].length, kind).toBeGreaterThan(before[kind].length);
  });
});

describe('CreateVolume', () => {
  it('under a key that EBS can not use is answered, and the volume vanishes', { timeout: 300_000 }, async () => {
    const before = await traces();
    for (const SnapshotId of [undefined, snapshots.plain, snapshots.encrypted])
      for (const KmsKeyId of Object.values(keys)) {
        const input = { AvailabilityZone: ZONE, Size: 1, SnapshotId, Encrypted: true, KmsKeyId };
        const answer = await account.ec2.send(new CreateVolumeCommand(input));
        expect(answer).toMatchObject({ State: 'creating', KmsKeyId });
      }
    await leavesNothing(before);
  });
});

describe('RunInstances', () => {
  it('under a key that EBS can not use ends terminated', { timeout: 300_000 }, async () => {
    const before = await traces();
    const states = ['disabled', 'pending deletion', 'pending import'];
    await Promise.all(
      Object.entries(keys).map(async ([how, KmsKeyId]) => {
        const { Instances } = await account.ec2.send(
          new RunInstancesCommand({
            ImageId: imageId,
            InstanceType: 't3.micro',
            MinCount: 1,
            MaxCount: 1,
            BlockDeviceMappings: [
              { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, Encrypted: true, KmsKeyId, DeleteOnTermination: false } },
            ],
          }),
        );
        const InstanceIds = [Instances?.[0]?.InstanceId ?? ''];
        const { Reservations } = await eventually(
          () => account.ec2.send(new DescribeInstancesCommand({ InstanceIds })),
          (answer) => answer.Reservations?.[0]?.Instances?.[0]?.State?.Name === 'terminated',
        );
        const code = states.includes(how) ? 'Client.InvalidKMSKey.InvalidState' : 'Client.InternalError';
        expect([how, Reservations?.[0]?.Instances?.[0]?.StateReason?.Code]).toEqual([how, code]);
      }),
    );
    await leavesNothing(before);
  });
});

describe('AttachVolume', () => {
  it('under a key that can not be used any more is refused', { timeout: 300_000 }, async () => {
    const InstanceId = await account.launch();
    const spoilt = Object.entries(SPOILERS).map(async ([how, spoil]) => {
      const KmsKeyId = how === 'pending import' ? await importedKey(account) : await account.newKey();
      const { VolumeId } = await account.volume({ Size: 1, Encrypted: true, KmsKeyId });
      await spoil(account, KmsKeyId);
      return VolumeId;
    });
    const volumeIds = await Promise.all(spoilt);
    const before = await traces();
    for (const VolumeId of volumeIds) {
      const attach = new AttachVolumeCommand({ VolumeId, InstanceId, Device: '/dev/sdg' });
      await expect(account.ec2.send(attach)).rejects.toMatchObject({
        name: 'CustomerKeyHasBeenRevoked',
        message: `Volume ${VolumeId} cannot be attached. The encrypted volume was unable to access the KMS master key.`,
      });
      expect(await account.volumeIn('available', VolumeId)).toMatchObject({ Attachments: [] });
    }
    await leavesNothing(before);
  });
});

describe('CreateVolume, ModifyVolume and CopySnapshot', () => {
  it('leave nothing when they are refused', { timeout: 300_000 }, async () => {
    const { VolumeId } = await account.volume({ Size: 2 });
    const before = await traces();
    const creations = [
      { Size: 1, KmsKeyId: 'alias/aws/ebs' },
      { SnapshotId: snapshots.encrypted, Encrypted: false },
      { Size: 1, MultiAttachEnabled: true },
      { Size: 70_000, VolumeType: 'gp3' as const },
      { SnapshotId: 'snap-00000000000000001' },
    ];
    for (const input of creations)
      await expect(account.ec2.send(new CreateVolumeCommand({ AvailabilityZone: ZONE, ...input }))).rejects.toThrow();
    for (const input of [{ Size: 1 }, { VolumeType: 'io1' as const, Iops: 10 }, { MultiAttachEnabled: true }])
      await expect(account.ec2.send(new ModifyVolumeCommand({ VolumeId, ...input }))).rejects.toThrow();
    for (const [how, KmsKeyId] of Object.entries(keys)) {
      const copy = { SourceSnapshotId: snapshots.encrypted, SourceRegion: REGION, Encrypted: true, KmsKeyId };
      const refused = account.ec2.send(new CopySnapshotCommand(copy));
      await expect(refused, how).rejects.toMatchObject({
        name: how === 'of another account' ? 'AuthFailure' : 'InvalidParameterValue',
      });
    }
    await leavesNothing(before);
  });
});
