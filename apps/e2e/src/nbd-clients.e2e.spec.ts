import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CreateSnapshotCommand } from '@aws-sdk/client-ec2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { REGION, TestAccount } from './account.ts';
import { holdfast, startHoldfast } from './command-line.ts';
import { runTool } from './devices.ts';
import { type Stack, startStack } from './stack.ts';

const GIB = 2 ** 30;
let stack: Stack;
let folder: string;
let uri: string;
let socket: string;
let account: TestAccount;
let volumeId: string;
beforeAll(async () => {
  stack = await startStack();
  folder = await mkdtemp(join(tmpdir(), 'holdfast-nbd-'));
  account = new TestAccount(stack);
  ({ VolumeId: volumeId } = await account.volume({ Size: 1, Encrypted: true, KmsKeyId: await account.newKey() }));
  socket = await account.attach(volumeId, await account.launch(), '/dev/sdf');
  uri = `nbd+unix:///?socket=${socket}`;
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await stack.stop();
});

describe('an attached encrypted volume', () => {
  it('is what nbdinfo expects of a good export, of exactly its size', async () => {
    const { exports } = JSON.parse(await runTool('nbdinfo', ['--json', uri])) as { exports: Record<string, unknown>[] };
    expect(exports[0]).toMatchObject({
      'export-name': '',
      'export-size': GIB,
      is_read_only: false,
      can_flush: true,
      can_fua: true,
      can_trim: true,
      can_zero: true,
      can_df: true,
      can_multi_conn: true,
      contexts: ['base:allocation'],
    });
  });

  it('takes and gives back an image by nbdcopy, and tells what was never written', async () => {
    const [original, copy] = [join(folder, 'original'), join(folder, 'copy')];
    const image = randomBytes(48 << 20);
    await writeFile(original, image);
    await runTool('nbdcopy', ['--flush', original, uri]);
    await runTool('nbdcopy', [uri, copy]);
    expect((await readFile(copy)).subarray(0, image.length).equals(image)).toBe(true);
    const map = JSON.parse(await runTool('nbdinfo', ['--json', '--map', uri])) as { offset: number; type: number }[];
    expect(map[0]).toMatchObject({ offset: 0, type: 0 });
    expect(map.at(-1)?.type).toBe(3); // A hole that reads as zeroes.
  });

  it('is an image to qemu-img, and reads what qemu-io wrote, at odd offsets too', async () => {
    const info = JSON.parse(await runTool('qemu-img', ['info', '--output=json', uri])) as Record<string, unknown>;
    expect(info['virtual-size']).toBe(GIB);
    const commands = [
      ['write -P 0x5a 100M 1M', 'read -P 0x5a 100M 1M'],
      ['write -P 0x11 513 1025', 'read -P 0x11 513 1025'],
      ['write -z 100M 64k', 'read -P 0 100M 64k'],
      ['discard 101M 1M', 'flush', 'read -P 0x5a 104923136 4k'],
    ].flat();
    const output = await runTool('qemu-io', ['-f', 'raw', ...commands.flatMap((command) => ['-c', command]), uri]);
    expect(output).not.toMatch(/failed|error/i);
  });

  it('keeps what fio writes and verifies over several connections', async () => {
    const job = [
      '--name=verify',
      '--ioengine=nbd',
      `--uri=${uri}`,
      '--rw=randwrite',
      '--bs=4k',
      '--size=32m',
      '--iodepth=16',
    ];
    await runTool('fio', [
      ...job,
      '--verify=crc32c',
      '--do_verify=1',
      '--verify_fatal=1',
      '--verify_state_save=0',
      '--offset=256m',
      '--fsync=64',
    ]);
  });
});

describe('its snapshot', () => {
  it('is read as a device by the command line, under its key as the account, and is whole on the disk', async () => {
    const bytes = randomBytes(1 << 20);
    const source = join(folder, 'for-snapshot');
    await writeFile(source, bytes);
    await runTool('nbdcopy', ['--flush', source, uri]);
    const { SnapshotId = '' } = await account.ec2.send(new CreateSnapshotCommand({ VolumeId: volumeId }));
    await account.snapshotSettled(SnapshotId);
    const options = ['--account', account.accountId, '--region', REGION];
    const stranger = await holdfast(stack.home, 'export', SnapshotId, '--account', '999999999999', '--region', REGION); // prettier-ignore
    expect(stranger).toMatchObject({ code: 1, stderr: expect.stringContaining('has no snapshot') as string });
    const exported = startHoldfast(stack.home, 'export', SnapshotId, ...options);
    try {
      const snapshotUri = await exported.line();
      const { exports } = JSON.parse(await runTool('nbdinfo', ['--json', snapshotUri])) as { exports: object[] };
      expect(exports[0]).toMatchObject({ 'export-size': GIB, is_read_only: true });
      const copy = join(folder, 'snapshot');
      await runTool('nbdcopy', [snapshotUri, copy]);
      expect((await readFile(copy)).subarray(0, bytes.length).equals(bytes)).toBe(true);
      expect((await holdfast(stack.home, 'blocks', 'verify')).stdout).toMatch(/1 snapshots, 2 volumes: all are whole/);
    } finally {
      expect(await exported.stop()).toBe(0);
    }
    expect(await readdir(join(stack.home, 'exports'))).toEqual([]);
  });
});
