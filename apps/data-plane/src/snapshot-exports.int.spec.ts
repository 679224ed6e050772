import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, existsSync, openSync, readdirSync, readSync, rmSync, statSync, writeFileSync } from 'node:fs';
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
