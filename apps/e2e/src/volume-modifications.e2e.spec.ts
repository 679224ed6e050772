import {
  CopyVolumesCommand,
  CreateReplaceRootVolumeTaskCommand,
  DescribeReplaceRootVolumeTasksCommand,
  DetachVolumeCommand,
  TerminateInstancesCommand,
  DescribeVolumeAttributeCommand,
  DescribeVolumesModificationsCommand,
  DescribeVolumeStatusCommand,
  EnableVolumeIOCommand,
  ModifyVolumeAttributeCommand,
  ModifyVolumeCommand,
} from '@aws-sdk/client-ec2';
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestAccount } from './account.ts';
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

describe('an attached volume', () => {
  it('changes its type while it is used', async () => {
    const { VolumeId } = await account.volume({ Size: 8, Encrypted: true, KmsKeyId: await account.newKey() });
    const socket = await account.attach(VolumeId, await account.launch(), '/dev/sdf');
    const written = randomBytes(1 << 20);
    await writeDevice(socket, written);
    const { VolumeModification } = await account.ec2.send(
      new ModifyVolumeCommand({ VolumeId, VolumeType: 'gp3', Iops: 4000, Throughput: 500 }),
    );
    expect(VolumeModification).toMatchObject({
      ModificationState: 'modifying',
      OriginalVolumeType: 'gp2',
      Progress: 0,
    });
    const { VolumesModifications } = await eventually(
      () => account.ec2.send(new DescribeVolumesModificationsCommand({ VolumeIds: [VolumeId] })),
      (answer) => answer.VolumesModifications?.[0]?.ModificationState === 'completed',
    );
    expect(VolumesModifications?.[0]).toMatchObject({ TargetIops: 4000, TargetThroughput: 500, Progress: 100 });
    expect(VolumesModifications?.[0]?.EndTime).toBeInstanceOf(Date);
    expect(await account.volumeIn('in-use', VolumeId)).toMatchObject({
      VolumeType: 'gp3',
      Iops: 4000,
      Encrypted: true,
    });
    expect(await readDevice(socket, written.length)).toEqual(written);
  });

  it('is shared by several instances, one device each, with what is written in order for all', async () => {
    const shared = { Size: 4, VolumeType: 'io2' as const, Iops: 100, MultiAttachEnabled: true };
    const KmsKeyId = await account.newKey();
    const { VolumeId, MultiAttachEnabled } = await account.volume({ ...shared, Encrypted: true, KmsKeyId });
    expect(MultiAttachEnabled).toBe(true);
    const instances = [await account.launch(), await account.launch()];
    const sockets = [];
    for (const instance of instances) sockets.push(await account.attach(VolumeId, instance, '/dev/sdf'));
    const attached = await account.volumeIn('in-use', VolumeId);
    expect(attached.Attachments?.map(({ InstanceId }) => InstanceId).sort()).toEqual([...instances].sort());
    const [first = '', second = ''] = sockets;
    const written = randomBytes(1 << 20);
    await writeDevice(first, written);
    expect(await readDevice(second, written.length)).toEqual(written);
    const again = randomBytes(4096);
    await writeDevice(second, again);
    expect((await readDevice(first, written.length)).subarray(0, 4096)).toEqual(again);

    await expect(account.ec2.send(new DetachVolumeCommand({ VolumeId }))).rejects.toMatchObject({
      name: 'MissingParameter',
    });
    await account.ec2.send(new TerminateInstancesCommand({ InstanceIds: [instances[0] ?? ''] }));
    await eventually(
      () => account.volumeIn('in-use', VolumeId),
      ({ Attachments }) => Attachments?.length === 1,
    );
    expect((await readDevice(second, 4096)).equals(again)).toBe(true);
    await expect(readDevice(first, 4096)).rejects.toThrow();
    await account.ec2.send(new DetachVolumeCommand({ VolumeId, InstanceId: instances[1] }));
    await account.volumeIn('available', VolumeId);
  });

  it('is not copied in place, nor swapped for a root volume', async () => {
    const { VolumeId } = await account.volume({ Size: 1 });
    const answers = await Promise.allSettled([
      account.ec2.send(new CopyVolumesCommand({ SourceVolumeId: VolumeId })),
      account.ec2.send(new CreateReplaceRootVolumeTaskCommand({ InstanceId: 'i-0123456789abcdef0' })),
      account.ec2.send(new DescribeReplaceRootVolumeTasksCommand({})),
    ]);
    expect(answers).toMatchObject(answers.map(() => ({ reason: { name: 'UnsupportedOperation' } })));
    expect(answers).toHaveLength(3);
  });

  it('has a status, and attributes', async () => {
    const { VolumeId } = await account.volume({ Size: 1 });
    const { VolumeStatuses } = await account.ec2.send(new DescribeVolumeStatusCommand({ VolumeIds: [VolumeId] }));
    expect(VolumeStatuses?.[0]?.VolumeStatus?.Status).toBe('ok');
    await account.ec2.send(new ModifyVolumeAttributeCommand({ VolumeId, AutoEnableIO: { Value: true } }));
    const described = new DescribeVolumeAttributeCommand({ VolumeId, Attribute: 'autoEnableIO' });
    expect(await account.ec2.send(described)).toMatchObject({ AutoEnableIO: { Value: true } });
    await expect(account.ec2.send(new EnableVolumeIOCommand({ VolumeId }))).rejects.toMatchObject({
      name: 'IncorrectState',
      message: `Volume ${VolumeId} already has IO enabled.`,
    });
  });
});
