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
import { NbdClient } from '@holdfast/nbd/client';
import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import { newAccountId, TestAccount } from './account.ts';
import { eventually } from './clients.ts';
import { readDevice, writeDevice } from './devices.ts';
import { sharedStack } from './stack.ts';

const GIB = 1_073_741_824;

let stack: ReturnType<typeof sharedStack>;
let account: TestAccount;
beforeAll(async () => {
  stack = sharedStack();
  account = new TestAccount(stack, newAccountId());
});

const setFaults = async (body: object) => {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${stack.endpoint}/_holdfast/faults`, { method: 'POST', headers, body: JSON.stringify(body) });
  return answer.status;
}; // prettier-ignore

describe('an attached volume', () => {
  it('grows under its guest', async () => {
    const { VolumeId } = await account.volume({ Size: 1, Encrypted: true });
    const socketPath = await account.attach(VolumeId, await account.launch(), '/dev/sdf');
    const before = await NbdClient.connect(socketPath);
    const data = Buffer.alloc(4096, 7);
    await before.write(GIB - 4096, data);
    await account.ec2.send(new ModifyVolumeCommand({ VolumeId, Size: 3 }));
    const sizeNow = async () => {
      const client = await NbdClient.connect(socketPath);
      await client.close();
      return client.sizeBytes;
    };
    await eventually(sizeNow, (size) => size === 3 * GIB);
    const after = await NbdClient.connect(socketPath);
    await after.write(3 * GIB - 4096, data);
    expect(await after.read(GIB - 4096, 8192)).toEqual(Buffer.concat([data, Buffer.alloc(4096)]));
    expect(await after.read(3 * GIB - 4096, 4096)).toEqual(data);
    expect(await before.read(GIB - 4096, 4096)).toEqual(data);
    await Promise.all([before.close(), after.close()]);
  });

  it('fails as it is told to, until it is told otherwise', async () => {
    const { VolumeId: volumeId } = await account.volume({ Size: 1, Encrypted: true });
    const device = await NbdClient.connect(await account.attach(volumeId, await account.launch(), '/dev/sdf'));
    expect(await setFaults({ volumeId, faults: { seed: 1, readErrors: 1 } })).toBe(200);
    await expect(device.read(0, 512)).rejects.toThrow();
    expect(await setFaults({ volumeId, faults: null })).toBe(200);
    expect(await device.read(0, 512)).toEqual(Buffer.alloc(512));
    await device.close();
    expect(await setFaults({ volumeId: 'vol-0123456789abcdef0', faults: null })).toBe(404);
    expect(await setFaults({ volumeId, faults: { seed: 1, readErrors: 2 } })).toBe(400);
    expect(await setFaults({ volumeId })).toBe(400);
    expect(await setFaults({ volumeId, faults: { seed: 1, delays: 1 } })).toBe(400);
    expect(await setFaults({ volumeId, faults: null, losePower: true })).toBe(409);
  });

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
