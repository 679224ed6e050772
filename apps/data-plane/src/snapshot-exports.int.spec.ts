import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { newSnapshotId } from '@holdfast/contracts';
import { NbdClient } from '@holdfast/nbd/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';

const GIB = 1_073_741_824;
const BLOCK = 524_288;
const run = promisify(execFile);
let bundle: string;
let host: TestHost;
beforeAll(async () => {
  bundle = await buildDataPlane();
  host = new TestHost(bundle);
  await host.start();
});
afterAll(async () => {
  await host.stop();
  removeBundle(bundle);
});

const tool = async (program: string, ...args: string[]): Promise<string> => {
  const { path, env } = await debianTool(program);
  return (await run(path, args, { env, timeout: 120_000 })).stdout;
};

/** A snapshot with data at odd places, whose volume was overwritten since. */
const taken = async (key?: string) => {
  const { socketPath, volumeId } = await host.attached(key === undefined ? {} : { key });
  const client = await NbdClient.connect(socketPath);
  const [first, second] = [randomBytes(3 * BLOCK + 777), randomBytes(5_000)];
  await client.write(1_000, first);
  await client.write(100 * BLOCK - 500, second);
  const snapshotId = await host.snapshot(volumeId);
  await client.write(0, randomBytes(4 * BLOCK));
  expect((await host.settled(snapshotId)).state).toBe('completed');
  await client.close();
  const dataKey = key === undefined ? undefined : host.kms.use(key, volumeId);
  return { snapshotId, dataKey, first, second };
};

/** The process that listens below the folder of exports; null while there is none. */
const serving = (): number | null => {
  const sockets = readFileSync('/proc/net/unix', 'utf8').split('\n');
  const inode = sockets
    .find((line) => line.includes(`${host.home}/exports/`) && / 0+10000 /.test(line))
    ?.split(/ +/)[6];
  const hasIt = (pid: string): boolean => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === `socket:[${inode}]`);
    } catch {
      return false; // It has ended meanwhile, or is somebody else's.
    }
  };
  const pid = inode === undefined ? undefined : readdirSync('/proc').find((name) => /^\d+$/.test(name) && hasIt(name));
  return pid === undefined ? null : Number(pid);
};
const killServing = (): number => {
  const pid = serving();
  if (pid === null) throw new Error('nobody serves a snapshot');
  process.kill(pid, 'SIGKILL');
  return pid;
};

describe('a snapshot that is exported', () => {
  it.each([['encrypted', 'a'] as const, ['unencrypted', undefined] as const])(
    'is read as a device: %s',
    { timeout: 300_000 },
    async (_, key) => {
      const { snapshotId, dataKey, first, second } = await taken(key);
      const asked = host.kms.asked.length;
      const { exportId, socketPath } = await host.call('OpenSnapshotExport', { snapshotId, dataKey });
      expect(host.kms.asked.slice(asked).map(({ principal }) => principal)).toEqual(
        dataKey === undefined ? [] : [dataKey.principal.arn],
      );
      expect(statSync(socketPath).mode & 0o777).toBe(0o600);
      const uri = `nbd+unix:///?socket=${socketPath}`;
      const { exports } = JSON.parse(await tool('nbdinfo', '--json', uri)) as { exports: object[] };
      expect(exports[0]).toMatchObject({
        'export-size': GIB,
        description: snapshotId,
        is_read_only: true,
        can_trim: false,
      });
      const copy = join(host.home, 'copy.img');
      rmSync(copy, { force: true });
      writeFileSync(copy, '');
      await tool('nbdcopy', uri, copy);
      expect(statSync(copy)).toMatchObject({ size: GIB });
      expect(statSync(copy).blocks * 512).toBeLessThan(16 * BLOCK); // Holes were told as such.
      const bytes = Buffer.alloc(101 * BLOCK);
      const file = openSync(copy, 'r');
      readSync(file, bytes);
      closeSync(file);
      expect(bytes.subarray(1_000, 1_000 + first.length).equals(first)).toBe(true);
      expect(bytes.subarray(100 * BLOCK - 500, 100 * BLOCK + 4_500).equals(second)).toBe(true);
      expect(bytes.subarray(0, 1_000).equals(Buffer.alloc(1_000))).toBe(true);
      if (key !== undefined)
        expect(await tool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', copy, uri)).toContain('identical');
      await host.call('CloseSnapshotExport', { exportId });
      expect(existsSync(socketPath)).toBe(false);
      expect(await host.call('KeepSnapshotExport', { exportId })).toEqual({ open: false });
    },
  );

  it('refuses every change with EPERM', async () => {
    const { snapshotId, dataKey, first } = await taken('a');
    const { exportId, socketPath } = await host.call('OpenSnapshotExport', { snapshotId, dataKey });
    const client = await NbdClient.connect(socketPath);
    await expect(client.write(0, Buffer.alloc(512))).rejects.toMatchObject({ errno: 1 });
    expect((await client.read(1_000, 100)).equals(first.subarray(0, 100))).toBe(true);
    await client.close();
    await expect(
      tool('qemu-io', '-f', 'raw', '-c', 'write 0 512', `nbd+unix:///?socket=${socketPath}`),
    ).rejects.toThrow(/denied|ead-only|ermitted/);
    await host.call('CloseSnapshotExport', { exportId });
  });

  it('is served again at the same path when its host was killed, until its key is disabled', async () => {
    const { snapshotId, dataKey, first } = await taken('d');
    const { exportId, socketPath } = await host.call('OpenSnapshotExport', { snapshotId, dataKey });
    const read = async () => {
      const client = await NbdClient.connect(socketPath);
      const bytes = await client.read(1_000, 100).finally(() => client.close());
      return bytes.equals(first.subarray(0, 100));
    };
    const killed = killServing();
    await until(
      'another host serves it',
      async () => ![null, killed].includes(serving()) && (await read().catch(() => false)),
    );
    expect(await host.call('KeepSnapshotExport', { exportId })).toEqual({ open: true });
    host.kms.disabled.add('d');
    killServing();
    await until('it is given up', async () => !(await host.call('KeepSnapshotExport', { exportId })).open);
    await until('its socket is gone', () => !existsSync(socketPath));
  });

  it('is refused without its key, under a wrong one, and when it is not there', async () => {
    const { snapshotId, dataKey } = await taken('b');
    await expect(host.call('OpenSnapshotExport', { snapshotId })).rejects.toMatchObject({ code: 'EncryptionMismatch' });
    const wrong = host.kms.use('c', snapshotId);
    const refused = host.call('OpenSnapshotExport', { snapshotId, dataKey: wrong });
    await expect(refused).rejects.toMatchObject({ code: 'WrongDataKey' });
    host.kms.disabled.add('b');
    const disabled = host.call('OpenSnapshotExport', { snapshotId, dataKey });
    await expect(disabled).rejects.toMatchObject({ code: 'KmsKeyUnusable' });
    const absent = host.call('OpenSnapshotExport', { snapshotId: newSnapshotId() });
    await expect(absent).rejects.toMatchObject({ code: 'SnapshotNotFound' });
  });

  it('serves no damaged block, and ends with the snapshot', async () => {
    const { snapshotId } = await taken();
    const blocks = join(host.home, 'data-plane', 'blocks');
    const { socketPath } = await host.call('OpenSnapshotExport', { snapshotId });
    const client = await NbdClient.connect(socketPath);
    for (const path of readdirSync(blocks, { recursive: true, encoding: 'utf8' })) {
      if (/^[0-9a-f]{2}\/[0-9a-f]{62}$/.test(path)) writeFileSync(join(blocks, path), Buffer.alloc(BLOCK, 7));
    }
    await expect(client.read(BLOCK, 512)).rejects.toMatchObject({ errno: 5 });
    expect((await client.read(50 * BLOCK, 512)).equals(Buffer.alloc(512))).toBe(true);
    await host.call('RemoveSnapshot', { snapshotId });
    await until('its socket is gone', () => !existsSync(socketPath));
    await client.close().catch(() => undefined);
  });
});
