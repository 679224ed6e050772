import { ModifyVolumeCommand } from '@aws-sdk/client-ec2';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestAccount } from './account.ts';
import { eventually } from './clients.ts';
import { startStack, type Stack } from './stack.ts';

const GIB = 1_073_741_824;

let stack: Stack;
beforeAll(async () => {
  stack = await startStack();
});
afterAll(() => stack.stop());

it('an attached, encrypted volume grows under its guest', async () => {
  const account = new TestAccount(stack);
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
