import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { VolumeId } from '@holdfast/contracts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import { buildDataPlane, removeBundle, TestHost, until } from './testing/harness.ts';
import { startReconnectingQemu, startRetryingNbdkit } from './testing/initiators.ts';
import { lockHolder } from './testing/lock-holder.ts';

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

/** Of the block host that has the volume open; NaN between two of them. */
const hostPid = (volumeId: VolumeId): number => lockHolder(host.home, volumeId);

interface FioResult {
  readonly jobs: { readonly error: number; readonly write: { readonly total_ios: number } }[];
}

describe('a guest whose initiator asks again', () => {
  it(
    'sees pauses and no error, and loses nothing, while its block host is killed, stopped and replaced',
    { timeout: 300_000 },
    async () => {
      const { socketPath, volumeId } = await host.attached({ key: 'a' });
      const fronts = [await startRetryingNbdkit(socketPath, join(host.home, 'retry.sock'))];
      try {
        fronts.push(await startReconnectingQemu(socketPath, join(host.home, 'qemu.sock')));
        const { path, env } = await debianTool('fio');
        const state = ['--verify=crc32c', '--verify_fatal=1', '--verify_backlog=512', '--rate_iops=400'];
        const write = ['--rw=randwrite', '--bs=4k', '--iodepth=16', '--size=16m', '--fsync=64', '--output-format=json'];
        let isInterrupted = false;
        /** The guest works until all has happened to its host, and once more through what it wrote. */
        const work = async (uri: string, offset: string): Promise<FioResult['jobs'][number][]> => {
          const isLast = isInterrupted;
          const args = ['--name=guest', '--ioengine=nbd', `--uri=${uri}`, `--offset=${offset}`, ...write, ...state];
          const { stdout } = await run(path, args, { env, cwd: host.home, maxBuffer: 1 << 24 });
          const { jobs } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as FioResult;
          return isLast ? jobs : [...jobs, ...(await work(uri, offset))];
        };
        const guests = Promise.all(fronts.map(({ uri }, index) => work(uri, `${index * 64}m`)));
        guests.catch(() => undefined);
        const interruptions = [
          () => process.kill(hostPid(volumeId), 'SIGKILL'),
          () => process.kill(hostPid(volumeId), 'SIGTERM'),
          () => process.kill(hostPid(volumeId), 'SIGKILL'),
          async () => {
            // A new version of the whole service takes over.
            await host.killService('SIGTERM');
            await host.startService();
          },
        ];
        for (const interrupt of interruptions) {
          await sleep(1_000);
          const pid = hostPid(volumeId);
          await interrupt();
          const isAnother = (found: number) => !Number.isNaN(found) && found !== pid;
          await until('another process has the volume', () => isAnother(hostPid(volumeId)));
        }
        isInterrupted = true;
        for (const { error, write: written } of (await guests).flat()) {
          expect(error).toBe(0);
          expect(written.total_ios).toBe((16 * 1_048_576) / 4_096);
        }
      } finally {
        for (const front of fronts) await front.stop();
        for (const name of ['retry.sock', 'qemu.sock']) rmSync(join(host.home, name), { force: true });
      }
    },
  );
});
