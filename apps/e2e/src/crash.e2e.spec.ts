import {
  CreateSnapshotCommand,
  CreateVolumeCommand,
  DeleteVolumeCommand,
  DescribeSnapshotsCommand,
  DescribeVolumesCommand,
} from '@aws-sdk/client-ec2';
import { DescribeKeyCommand } from '@aws-sdk/client-kms';
import { NbdClient } from '@holdfast/nbd/client';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestAccount, ZONE } from './account.ts';
import { eventually } from './clients.ts';
import { blockHostPids } from './processes.ts';
import { type Stack, startStack } from './stack.ts';

let stack: Stack;
let account: TestAccount;
beforeEach(async () => {
  stack = await startStack();
  account = new TestAccount(stack);
});
afterEach(() => stack.stop());

/** The client of a device that may be away for a moment. */
const reconnect = (socket: string) =>
  eventually(
    () => NbdClient.connect(socket).catch(() => null),
    (client) => client !== null,
  );

const pidsOf = async () => {
  const { postgres, nats } = JSON.parse(await readFile(join(stack.home, 'stack.json'), 'utf8')) as {
    postgres: { pid: number };
    nats: { pid: number };
  };
  return { postgres: postgres.pid, nats: nats.pid };
};

const attachedVolume = async () => {
  const instance = await account.launch();
  const { VolumeId } = await account.volume({ Size: 1, Encrypted: true, KmsKeyId: await account.newKey() });
  return { VolumeId, socket: await account.attach(VolumeId, instance, '/dev/sdf') };
};

describe('kill -9 of the stack', () => {
  it('loses no write that was flushed and no answer that was given, and leaves nothing half made', async () => {
    const { VolumeId, socket } = await attachedVolume();
    const data = randomBytes(1 << 20);
    const before = await NbdClient.connect(socket);
    await before.write(0, data);
    await before.flush();
    await before.write(1 << 20, data); // Not flushed: may be lost.
    const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));

    const key = await account.newKey();
    const answered: string[] = [];
    const creating = Array.from({ length: 12 }, async () => {
      const input = { AvailabilityZone: ZONE, Size: 1, Encrypted: true, KmsKeyId: key };
      const { VolumeId: id = '' } = await account.ec2.send(new CreateVolumeCommand(input));
      answered.push(id);
      if (answered.length === 6) await stack.kill();
    });
    await Promise.allSettled(creating);
    await before.close();
    expect(answered.length).toBeGreaterThanOrEqual(6);
    await stack.restart();

    await expect(account.kms.send(new DescribeKeyCommand({ KeyId: key }))).resolves.toBeDefined();
    const { Volumes = [] } = await eventually(
      () => account.ec2.send(new DescribeVolumesCommand({})),
      (answer) => answer.Volumes?.every(({ State }) => State !== 'creating') ?? false,
    );
    expect(Volumes.map((volume) => volume.VolumeId)).toEqual(expect.arrayContaining([VolumeId, ...answered]));
    expect(await account.snapshotSettled(SnapshotId)).toMatchObject({ State: 'completed' });

    const after = await reconnect(socket);
    expect((await after?.read(0, data.length))?.equals(data)).toBe(true);
    await after?.close();
    const restored = await account.volume({ SnapshotId });
    const device = await account.attach(restored.VolumeId, await account.launch(), '/dev/sdf');
    const copy = await NbdClient.connect(device);
    expect((await copy.read(0, data.length)).equals(data)).toBe(true);
    await copy.close();
  });
});

describe('kill -9 of one process', () => {
  it.each(['postgres', 'nats'] as const)('%s is started again, and requests go on', async (server) => {
    const { VolumeId, socket } = await attachedVolume();
    const pid = (await pidsOf())[server];
    process.kill(pid, 'SIGKILL');
    const client = await NbdClient.connect(socket);
    await client.write(0, Buffer.alloc(4096, 1)); // The data path needs neither of them.
    await client.close();
    const { Volumes } = await eventually(
      () => account.ec2.send(new DescribeVolumesCommand({ VolumeIds: [VolumeId] })).catch(() => ({ Volumes: [] })),
      (answer) => answer.Volumes?.[0]?.State === 'in-use',
    );
    expect(Volumes).toHaveLength(1);
    const settled = await eventually(
      () => account.volume({ Size: 1, Encrypted: true }).catch(() => null),
      (volume) => volume !== null,
    );
    expect(settled?.State).toBe('available');
    expect((await pidsOf())[server]).not.toBe(pid);
  });

  it('a block host is started again, and the device comes back with what was flushed', async () => {
    const { socket } = await attachedVolume();
    const data = randomBytes(1 << 16);
    const before = await NbdClient.connect(socket);
    await before.write(8192, data, { fua: true });
    for (const pid of await blockHostPids(stack.pid())) process.kill(pid, 'SIGKILL');
    await expect(before.read(0, 1)).rejects.toThrow();
    const after = await reconnect(socket);
    expect((await after?.read(8192, data.length))?.equals(data)).toBe(true);
    await after?.close();
  });
});

describe('a stop and a start', () => {
  it('go on with the state, attachments included', async () => {
    const { VolumeId, socket } = await attachedVolume();
    const data = randomBytes(4096);
    const before = await NbdClient.connect(socket);
    await before.write(4096, data);
    await before.close();
    const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId }));
    await account.snapshotSettled(SnapshotId);
    await stack.terminate();
    await stack.restart();
    const after = await reconnect(socket);
    expect((await after?.read(4096, data.length))?.equals(data)).toBe(true);
    await after?.close();
    const { Snapshots } = await account.ec2.send(new DescribeSnapshotsCommand({ SnapshotIds: [SnapshotId] }));
    expect(Snapshots?.[0]?.State).toBe('completed');
    await account.detach(VolumeId);
    await account.ec2.send(new DeleteVolumeCommand({ VolumeId }));
  });
});
