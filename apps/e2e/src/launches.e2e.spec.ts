import {
  AttachVolumeCommand,
  DeleteVolumeCommand,
  DescribeImagesCommand,
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  DescribeInstanceStatusCommand,
  DescribeInstanceTypesCommand,
  DescribeVolumesCommand,
  DetachVolumeCommand,
  DisableEbsEncryptionByDefaultCommand,
  EnableEbsEncryptionByDefaultCommand,
  ModifyInstanceAttributeCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from '@aws-sdk/client-ec2';
import { DisableKeyCommand, EnableKeyCommand, ListGrantsCommand } from '@aws-sdk/client-kms';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { newAccountId, TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { readDevice, writeDevice } from './devices.ts';
import { told } from './notifications.ts';
import { sharedStack } from './stack.ts';

let stack: ReturnType<typeof sharedStack>;
let account: TestAccount;
let imageId: string;
beforeAll(async () => {
  stack = sharedStack();
  account = new TestAccount(stack, newAccountId());
  const { Images } = await account.ec2.send(new DescribeImagesCommand({ Owners: ['amazon'] }));
  imageId = Images?.[0]?.ImageId ?? '';
  expect(Images?.[0]).toMatchObject({ RootDeviceName: '/dev/xvda', Public: true });
});

const run = async (input: Partial<RunInstancesCommandInput> = {}) => {
  const { Instances } = await account.ec2.send(
    new RunInstancesCommand({
      ImageId: imageId,
      InstanceType: 't3.micro',
      MinCount: 1,
      MaxCount: 1,
      Placement: { AvailabilityZone: ZONE },
      ...input,
    }),
  );
  return Instances?.[0]?.InstanceId ?? '';
};
const instance = async (id: string) => {
  const { Reservations } = await account.ec2.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
  return Reservations?.[0]?.Instances?.[0];
};
const inState = (id: string, state: string) =>
  eventually(
    () => instance(id),
    (found) => found?.State?.Name === state,
  );
const volumesOf = async (id: string) => {
  const filter = [{ Name: 'attachment.instance-id', Values: [id] }];
  return (await account.ec2.send(new DescribeVolumesCommand({ Filters: filter }))).Volumes ?? [];
};
const grantsOf = async (KeyId: string) => (await account.kms.send(new ListGrantsCommand({ KeyId }))).Grants ?? [];
/** Of the instances' hosts; EBS's own stays as long as its volume. */
const hostGrantsOf = async (key: string) => (await grantsOf(key)).filter(({ Name }) => Name?.startsWith('ebs-attach-'));
const socket = (id: string, device: string) => join(stack.home, 'instances', id, device);

describe('a launch from an EBS-backed image', () => {
  it('has its root volume, and those it asked for under their keys', async () => {
    const key = await account.newKey();
    const id = await run({
      BlockDeviceMappings: [
        { DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, Encrypted: true, KmsKeyId: key, DeleteOnTermination: false } },
      ],
      TagSpecifications: [{ ResourceType: 'volume', Tags: [{ Key: 'of', Value: 'launch' }] }],
    });
    const running = await inState(id, 'running');
    expect(running).toMatchObject({ RootDeviceType: 'ebs', RootDeviceName: '/dev/xvda' });
    const volumes = new Map((await volumesOf(id)).map((volume) => [volume.Attachments?.[0]?.Device, volume]));
    expect(volumes.get('/dev/xvda')).toMatchObject({
      Size: 8,
      Encrypted: false,
      Attachments: [{ State: 'attached', DeleteOnTermination: true }],
      Tags: [{ Key: 'of', Value: 'launch' }],
    });
    const data = volumes.get('/dev/sdf');
    expect(data).toMatchObject({ Size: 1, Encrypted: true, KmsKeyId: key });
    const grants = await hostGrantsOf(key);
    expect(grants.map(({ Name }) => Name)).toEqual([`ebs-attach-${data?.VolumeId ?? ''}-${id}`]);
    expect(await grantsOf(key)).toHaveLength(2);
    const written = randomBytes(1 << 20);
    await writeDevice(socket(id, '/dev/sdf'), written);

    // The key's grant goes when the instance stops, and a fresh one is made when it starts.
    await account.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    expect((await inState(id, 'stopped'))?.StateReason?.Code).toBe('Client.UserInitiatedShutdown');
    expect(await hostGrantsOf(key)).toEqual([]);
    expect(await volumesOf(id)).toHaveLength(2);
    await expect(readDevice(socket(id, '/dev/sdf'), 512)).rejects.toThrow();

    await account.kms.send(new DisableKeyCommand({ KeyId: key }));
    await account.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    const failed = await eventually(
      () => instance(id),
      (found) => found?.State?.Name === 'stopped' && found.StateReason?.Code !== undefined,
    );
    expect(failed?.StateReason).toEqual({
      Code: 'Client.InvalidKMSKey.InvalidState',
      Message: 'Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state',
    });
    expect(await hostGrantsOf(key)).toEqual([]);
    const notification = await told(stack.home, data?.VolumeId ?? '', ({ event }) => event === 'reattachVolume');
    expect(notification.resources).toContain(key);
    expect(notification.detail).toMatchObject({ result: 'failed', cause: `${key} is disabled.` });

    await account.kms.send(new EnableKeyCommand({ KeyId: key }));
    await account.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    await inState(id, 'running');
    expect(await readDevice(socket(id, '/dev/sdf'), written.length)).toEqual(written);
    const [fresh] = await hostGrantsOf(key);
    expect(fresh?.GrantId).not.toBe(grants[0]?.GrantId);

    await account.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await inState(id, 'terminated');
    expect(await account.volumeIn('available', data?.VolumeId ?? '')).toMatchObject({ Attachments: [] });
    const root = volumes.get('/dev/xvda')?.VolumeId ?? '';
    await eventually(
      async () => (await account.ec2.send(new DescribeVolumesCommand({}))).Volumes ?? [],
      (all) => !all.some(({ VolumeId }) => VolumeId === root),
    );
    expect(await hostGrantsOf(key)).toEqual([]);
    await account.ec2.send(new DeleteVolumeCommand({ VolumeId: data?.VolumeId }));
    await eventually(
      () => grantsOf(key),
      (left) => left.length === 0,
    );
  });

  it('encrypts its root volume by default', async () => {
    await account.ec2.send(new EnableEbsEncryptionByDefaultCommand({}));
    const id = await run();
    await account.ec2.send(new DisableEbsEncryptionByDefaultCommand({}));
    await inState(id, 'running');
    expect(await volumesOf(id)).toMatchObject([{ Encrypted: true }]);
    const [root] = await volumesOf(id);
    await expect(account.ec2.send(new DetachVolumeCommand({ VolumeId: root?.VolumeId }))).rejects.toMatchObject({
      name: 'OperationNotPermitted',
      message: `Unable to detach root volume '${root?.VolumeId ?? ''}' from instance '${id}'`,
    });
    await account.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await inState(id, 'stopped');
    await account.detach(root?.VolumeId ?? '');
  });

  it('under a key that cannot be used ends as terminated, and leaves nothing', async () => {
    const count = async () => (await account.ec2.send(new DescribeVolumesCommand({}))).Volumes?.length;
    const before = await count();
    const key = await account.newKey();
    await account.kms.send(new DisableKeyCommand({ KeyId: key }));
    const id = await run({
      BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { Encrypted: true, KmsKeyId: key } }],
    });
    expect((await inState(id, 'terminated'))?.StateReason).toEqual({
      Code: 'Client.InvalidKMSKey.InvalidState',
      Message: 'Client.InvalidKMSKey.InvalidState: The KMS key provided is in an incorrect state',
    });
    const absent = await run({
      BlockDeviceMappings: [
        {
          DeviceName: '/dev/sdf',
          Ebs: { VolumeSize: 1, Encrypted: true, KmsKeyId: 'alias/absent', DeleteOnTermination: false },
        },
      ],
    });
    expect((await inState(absent, 'terminated'))?.StateReason?.Message).toBe(
      'Client.InternalError: Client error on launch',
    );
    await eventually(count, (now) => now === before);
    expect(await grantsOf(key)).toEqual([]);
  });

  it('takes a volume while it is stopped, and opens it when it starts', async () => {
    const id = await run();
    await inState(id, 'running');
    await account.ec2.send(new StopInstancesCommand({ InstanceIds: [id] }));
    await inState(id, 'stopped');
    const key = await account.newKey();
    const { VolumeId } = await account.volume({ Size: 1, Encrypted: true, KmsKeyId: key });
    await account.ec2.send(new AttachVolumeCommand({ VolumeId, InstanceId: id, Device: '/dev/sdf' }));
    await account.volumeIn('in-use', VolumeId);
    expect(await hostGrantsOf(key)).toEqual([]);
    await account.ec2.send(new StartInstancesCommand({ InstanceIds: [id] }));
    await inState(id, 'running');
    expect(await hostGrantsOf(key)).toHaveLength(1);
    const written = randomBytes(4096);
    await writeDevice(socket(id, '/dev/sdf'), written);
    expect(await readDevice(socket(id, '/dev/sdf'), written.length)).toEqual(written);
  });

  it('tells its attributes, and changes what becomes of its volumes', async () => {
    const id = await run({ DisableApiTermination: true });
    await inState(id, 'running');
    await expect(account.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }))).rejects.toMatchObject({
      name: 'OperationNotPermitted',
    });
    const keep = [{ DeviceName: '/dev/xvda', Ebs: { DeleteOnTermination: false } }];
    await account.ec2.send(new ModifyInstanceAttributeCommand({ InstanceId: id, BlockDeviceMappings: keep }));
    await account.ec2.send(
      new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value: false } }),
    );
    const attribute = new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: 'blockDeviceMapping' });
    expect((await account.ec2.send(attribute)).BlockDeviceMappings).toMatchObject(keep);
    const { InstanceStatuses } = await account.ec2.send(new DescribeInstanceStatusCommand({ InstanceIds: [id] }));
    expect(InstanceStatuses?.[0]?.InstanceStatus?.Status).toBe('ok');
    const types = new DescribeInstanceTypesCommand({ InstanceTypes: ['t3.micro'] });
    expect((await account.ec2.send(types)).InstanceTypes?.[0]?.EbsInfo?.EncryptionSupport).toBe('supported');
    const [root] = await volumesOf(id);
    await account.ec2.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    await account.volumeIn('available', root?.VolumeId ?? '');
  });

  it.each<[Partial<RunInstancesCommandInput>, string, string]>([
    [{ BlockDeviceMappings: [{ DeviceName: '/dev/sdf', Ebs: {} }] }, 'InvalidBlockDeviceMapping', 'Either snapshot ID or volume size must be provided for: /dev/sdf'],
    [{ BlockDeviceMappings: [{ DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, KmsKeyId: 'alias/x' } }] }, 'InvalidParameterDependency', 'The parameter KmsKeyId requires the parameter Encrypted to be set.'],
    [{ BlockDeviceMappings: [{ DeviceName: '/dev/xvda', Ebs: { VolumeSize: 500, VolumeType: 'st1' } }] }, 'BootForVolumeTypeUnsupported', 'The volume type st1 cannot be used for a boot volume.'],
    [{ InstanceType: 'm1.small', BlockDeviceMappings: [{ DeviceName: '/dev/sdf', Ebs: { VolumeSize: 1, Encrypted: true } }] }, 'InvalidParameterCombination', 'Encrypted volumes are not supported by the instance type m1.small.'],
  ])('is refused for %j', async (input, name, message) => {
    await expect(run(input)).rejects.toMatchObject({ name, message });
  }); // prettier-ignore
});
