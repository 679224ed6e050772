import {
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
