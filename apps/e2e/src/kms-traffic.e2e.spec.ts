import {
  CopySnapshotCommand,
  CreateSnapshotCommand,
  DeleteSnapshotCommand,
  DeleteVolumeCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { ListGrantsCommand } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { trafficOf } from './kms-traffic.ts';
import { type Stack, startStack } from './stack.ts';

// Which calls EBS makes, as whom, in which order, under which grants: read from the log that kms keeps for ever.

let stack: Stack;
let account: TestAccount;
beforeAll(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
});
afterAll(() => stack.stop());

const grantsOf = async (KeyId: string) => (await account.kms.send(new ListGrantsCommand({ KeyId }))).Grants ?? [];
const traffic = (key: string, names: Record<string, string>) => trafficOf(stack.home, key, names);
const encrypted = (KmsKeyId: string) => ({ Size: 1, Encrypted: true, KmsKeyId });
const snapshotOf = async (VolumeId: string) => {
  const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));
  await account.snapshotSettled(SnapshotId);
  return SnapshotId;
};
const copyOf = async (SourceSnapshotId: string, KmsKeyId: string) => {
  const input = { SourceSnapshotId, SourceRegion: REGION, Encrypted: true, KmsKeyId };
  const { SnapshotId = '' } = await account.ec2.send(new CopySnapshotCommand(input));
  await account.snapshotSettled(SnapshotId);
  return SnapshotId;
};
const deleted = async (VolumeId: string) => {
  await account.ec2.send(new DeleteVolumeCommand({ VolumeId }));
  await eventually(
    async () => (await account.ec2.send(new DescribeVolumesCommand({}))).Volumes ?? [],
    (volumes) => !volumes.some((volume) => volume.VolumeId === VolumeId),
  );
};

/** A new data key, proved once by EBS under a grant that ends with the proof. */
const NEW_KEY = (name: string) => [
  `F GenerateDataKeyWithoutPlaintext ${name}`,
  `F CreateGrant to S: Decrypt >= ${name}`,
  `S Decrypt ${name} under a grant`,
  'S RetireGrant',
];

describe('CreateVolume', () => {
  it('makes a data key for an empty volume, or for the blocks of an unencrypted snapshot', async () => {
    const [forEmpty, forRestored] = [await account.newKey(), await account.newKey()];
    const empty = await account.volume(encrypted(forEmpty));
    const SnapshotId = await snapshotOf((await account.volume({ Size: 1 })).VolumeId);
    const restored = await account.volume({ ...encrypted(forRestored), SnapshotId });
    expect(await traffic(forEmpty, { [empty.VolumeId]: 'vol' })).toEqual(NEW_KEY('vol'));
    expect(await traffic(forRestored, { [restored.VolumeId]: 'vol' })).toEqual(NEW_KEY('vol'));
    expect([...(await grantsOf(forEmpty)), ...(await grantsOf(forRestored))]).toEqual([]);
  });

  it("wraps a snapshot's data key again under the same key, and makes another under another", async () => {
    const [own, other] = [await account.newKey(), await account.newKey()];
    const { VolumeId: source } = await account.volume(encrypted(own));
    const SnapshotId = await snapshotOf(source);
    const { VolumeId: same } = await account.volume({ SnapshotId });
    const { VolumeId: moved } = await account.volume({ ...encrypted(other), SnapshotId });
    const names = { [source]: 'source', [same]: 'same', [moved]: 'moved' };
    expect(await traffic(own, names)).toEqual([
      ...NEW_KEY('source'),
      'F ReEncryptFrom source',
      'F ReEncryptTo same',
      'F ReEncryptFrom source',
    ]);
    expect(await traffic(other, names)).toEqual([
      'F ReEncryptTo moved',
      'F GenerateDataKeyWithoutPlaintext moved',
      'F CreateGrant to S: Decrypt >= moved',
      'S Decrypt moved under a grant',
      'S Decrypt moved under a grant',
      'S RetireGrant',
    ]);
  });
});

describe('an attachment', () => {
  it('has a grant of its own; EBS has one to the end of the volume; a snapshot needs none', async () => {
    const key = await account.newKey();
    const { VolumeId } = await account.volume(encrypted(key));
    const instance = await account.launch();
    await account.attach(VolumeId, instance, '/dev/sdf');
    const host = `arn:aws:sts::${account.accountId}:assumed-role/aws:ec2-infrastructure/${instance}`;
    const held = await grantsOf(key);
    expect(held.map(({ GranteePrincipal }) => GranteePrincipal).sort()).toEqual([host, `ec2.${REGION}.amazonaws.com`]);
    await snapshotOf(VolumeId);
    await account.detach(VolumeId);
    await account.attach(VolumeId, instance, '/dev/sdg');
    await account.detach(VolumeId);
    await deleted(VolumeId);
    const attached = ['F CreateGrant to I: Decrypt >= vol', 'I Decrypt vol under a grant', 'S RetireGrant'];
    expect(await traffic(key, { [VolumeId]: 'vol' })).toEqual([
      ...NEW_KEY('vol'),
      'F CreateGrant to S: Decrypt >= vol',
      ...attached,
      ...attached,
      'S RetireGrant',
    ]);
    expect(await grantsOf(key)).toEqual([]);
  });
});

describe('a launch', () => {
  it("keeps its volumes' grants until they die, and gives the host a fresh one at each start", async () => {
    const key = await account.newKey();
    const { Images } = await account.ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
    const { Instances } = await account.ec2.send(
      new RunInstancesCommand({
        ImageId: Images?.[0]?.ImageId ?? '',
        InstanceType: 't3.micro',
        MinCount: 1,
        MaxCount: 1,
        Placement: { AvailabilityZone: ZONE },
        BlockDeviceMappings: [{ DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, Encrypted: true, KmsKeyId: key } }],
      }),
    );
    const InstanceIds = [Instances?.[0]?.InstanceId ?? ''];
    const inState = (state: string) =>
      eventually(
        () => account.ec2.send(new DescribeInstancesCommand({ InstanceIds })),
        ({ Reservations }) => Reservations?.[0]?.Instances?.[0]?.State?.Name === state,
      );
    await inState('running');
    const filter = [
      { Name: 'attachment.instance-id', Values: InstanceIds },
      { Name: 'encrypted', Values: ['true'] },
    ];
    const { Volumes } = await account.ec2.send(new DescribeVolumesCommand({ Filters: filter }));
    await account.ec2.send(new StopInstancesCommand({ InstanceIds }));
    await inState('stopped');
    await account.ec2.send(new StartInstancesCommand({ InstanceIds }));
    await inState('running');
    expect(await grantsOf(key)).toHaveLength(2);
    await account.ec2.send(new TerminateInstancesCommand({ InstanceIds }));
    await eventually(
      () => grantsOf(key),
      (grants) => grants.length === 0,
    );
    expect(await traffic(key, { [Volumes?.[0]?.VolumeId ?? '']: 'vol' })).toEqual([
      ...NEW_KEY('vol').slice(0, 3),
      'F CreateGrant to I: Decrypt >= vol',
      'I Decrypt vol under a grant',
      'S RetireGrant',
      'F CreateGrant to I: Decrypt >= vol',
      'I Decrypt vol under a grant',
      'S RetireGrant',
      'S RetireGrant',
    ]);
  });
});

describe('a copy', () => {
  it('gets a data key, or that of the copy before, and reads its source under a grant of exactly its context', async () => {
    const [from, to] = [await account.newKey(), await account.newKey()];
    const { VolumeId } = await account.volume(encrypted(from));
    const source = await snapshotOf(VolumeId);
    const copy = await copyOf(source, to);
    const names = { [VolumeId]: 'source', [copy]: 'copy' };
    expect(await traffic(to, names)).toEqual([
      'F GenerateDataKeyWithoutPlaintext copy',
      'F CreateGrant to S: Decrypt = copy',
      'S Decrypt copy under a grant',
      'S RetireGrant',
    ]);
    expect(await traffic(from, names)).toEqual([
      ...NEW_KEY('source'),
      'F CreateGrant to S: Decrypt = source',
      'S Decrypt source under a grant',
      'S RetireGrant',
    ]);
    const later = await snapshotOf(VolumeId);
    const next = await copyOf(later, to);
    expect((await traffic(to, { ...names, [next]: 'next' })).slice(4)).toEqual([
      'F CreateGrant to S: Decrypt = copy',
      'F CreateGrant to S: Encrypt = next',
      'S Decrypt copy under a grant',
      'S Encrypt next under a grant',
      'S RetireGrant',
      'S RetireGrant',
    ]);
    expect((await traffic(from, names)).slice(-3)).toEqual([
      'F CreateGrant to S: Decrypt = source',
      'S Decrypt source under a grant',
      'S RetireGrant',
    ]);
    for (const SnapshotId of [source, copy, later, next])
      await account.ec2.send(new DeleteSnapshotCommand({ SnapshotId }));
    expect([...(await grantsOf(from)), ...(await grantsOf(to))]).toEqual([]);
  });
});
