import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import { serveNbd, type NbdServer } from './server.ts';
import { MemoryBackend } from './testing/memory-backend.ts';

const MIB = 1024 * 1024;
const SIZE = 64 * MIB;
const run = promisify(execFile);

/** Answers in a later turn of the event loop, and not always in order. */
class SlowMemory extends MemoryBackend {
  override async read(offsetBytes: number, target: Buffer): Promise<void> {
    await this.#delay();
    super.read(offsetBytes, target);
  }

  override async write(offsetBytes: number, data: Buffer): Promise<void> {
    await this.#delay();
    super.write(offsetBytes, data);
  }

  override async extents(offsetBytes: number, lengthBytes: number) {
    await this.#delay();
    return super.extents(offsetBytes, lengthBytes);
  }

  #calls = 0;
  #delay(): Promise<unknown> {
    this.#calls += 1;
    return this.#calls % 3 === 0
      ? new Promise((resolve) => setTimeout(resolve, 1))
      : new Promise((resolve) => setImmediate(resolve));
  }
}

describe.each([
  ['a backend that is done at once', (size: number) => new MemoryBackend(size)],
  ['a backend that takes its time', (size: number) => new SlowMemory(size)],
])('%s', (_, makeBackend) => {
  let folder: string;
  let uri: string;
  let server: NbdServer;
  let backend: MemoryBackend;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'nbd-'));
    const socketPath = join(folder, 'sdf');
    uri = `nbd+unix:///?socket=${socketPath}`;
    server = await serveNbd({
      listen: { socketPath },
      exports: (name) =>
        name === '' ? backend : name === 'frozen' ? new MemoryBackend(MIB, { readOnly: true }) : null,
      describe: (name) => (name === '' ? 'vol-0123456789abcdef0' : null),
    });
  });
  beforeEach(() => {
    backend = makeBackend(SIZE);
  });
  afterAll(async () => {
    await server.close();
    await rm(folder, { recursive: true, force: true });
  });

  const tool = async (program: string, ...args: string[]): Promise<string> => {
    const { path, env } = await debianTool(program);
    return (await run(path, args, { env, cwd: folder, timeout: 120_000, maxBuffer: 16 * MIB })).stdout;
  };

  /** A file with data, holes, and data again. */
  const sparseFile = async (): Promise<string> => {
    const path = join(folder, 'sparse.img');
    const file = await open(path, 'w');
    await file.truncate(SIZE);
    await file.write(randomBytes(5 * MIB + 512), 0, 5 * MIB + 512, 0);
    await file.write(randomBytes(MIB), 0, MIB, 40 * MIB);
    await file.close();
    return path;
  };

  it('tells nbdinfo all it can do', async () => {
    const info = JSON.parse(await tool('nbdinfo', '--json', uri)) as { exports: unknown[] };
    expect(info).toMatchObject({ protocol: 'newstyle-fixed', structured: true });
    expect(info.exports[0]).toMatchObject({
      'export-size': SIZE,
      description: 'vol-0123456789abcdef0',
      contexts: ['base:allocation'],
      is_read_only: false,
      can_cache: true,
      can_df: true,
      can_fast_zero: true,
      can_flush: true,
      can_fua: true,
      can_multi_conn: true,
      can_trim: true,
      can_zero: true,
      block_size_minimum: 1,
      block_size_preferred: 4096,
      block_size_maximum: 32 * MIB,
    });
    const readOnly = JSON.parse(await tool('nbdinfo', '--json', uri.replace('///?', '///frozen?'))) as typeof info;
    expect(readOnly.exports[0]).toMatchObject({ is_read_only: true, can_trim: false, can_zero: false });
    await expect(tool('nbdinfo', uri.replace('///?', '///nope?'))).rejects.toThrow();
  });

  it('carries a sparse file in and out by nbdcopy, over four connections', async () => {
    const source = await sparseFile();
    const target = join(folder, 'back.img');
    await rm(target, { force: true });
    await tool('nbdcopy', '--connections=4', '--requests=32', '--flush', source, uri);
    expect(backend.durable.equals(await readFile(source))).toBe(true);
    await writeFile(target, '');
    await tool('nbdcopy', '--connections=4', uri, target);
    expect((await readFile(target)).equals(backend.bytes)).toBe(true);
    expect((await stat(target)).blocks * 512).toBeLessThan(10 * MIB); // Its holes were not sent.
  });

  it('shows its holes to nbdinfo and qemu-img', async () => {
    backend.bytes.fill(1, 8 * MIB, 12 * MIB);
    const map = JSON.parse(await tool('nbdinfo', '--json', '--map', uri)) as { offset: number; type: number }[];
    expect(map.map(({ offset, type }) => [offset / MIB, type])).toEqual([
      [0, 3],
      [8, 0],
      [12, 3],
    ]);
    const seen = JSON.parse(await tool('qemu-img', 'map', '--output=json', '-f', 'raw', uri)) as { data: boolean }[];
    expect(seen.map(({ data }) => data)).toEqual([false, true, false]);
  });

  it('is the same for qemu-img after a conversion', async () => {
    const source = await sparseFile();
    await tool('qemu-img', 'convert', '-n', '-f', 'raw', '-O', 'raw', source, uri);
    expect(await tool('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', source, uri)).toContain('identical');
    const copy = join(folder, 'copy.qcow2');
    await tool('qemu-img', 'convert', '-f', 'raw', '-O', 'qcow2', uri, copy);
    expect(await tool('qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2', source, copy)).toContain('identical');
  });

  it('does what qemu-io asks: odd offsets, FUA, zeros with and without holes, discard', async () => {
    const commands = [
      'write -P 17 511 1500',
      'read -P 17 511 1500',
      'read -P 0 0 511',
      'write -f -P 18 5M 3000',
      'write -P 19 8M 4M',
      'write -z 9M 1M',
      'write -z -u 10M 1M',
      'discard 11M 1M',
      'read -P 19 8M 1M',
      'read -P 0 9M 3M',
      'aio_write -P 20 20M 1M',
      'aio_read -P 0 30M 1M',
      'aio_flush',
      'read -P 20 20M 1M',
      'flush',
    ];
    const output = await tool('qemu-io', '-f', 'raw', '-n', ...commands.flatMap((command) => ['-c', command]), uri);
    expect(output).not.toMatch(/failed|error/i);
    expect(backend.durable.equals(backend.bytes)).toBe(true);
    expect(backend.bytes.readUInt8(5 * MIB + 2999)).toBe(18);
    await expect(tool('qemu-io', '-f', 'raw', '-n', '-c', `write ${SIZE - 512} 1024`, uri)).rejects.toThrow();
  });

  it("passes fio's verification, at a queue depth of 32 and in blocks of many sizes", async () => {
    const common = ['--ioengine=nbd', `--uri=${uri}`, '--verify=crc32c', '--verify_fatal=1', '--output-format=json'];
    const random = ['--rw=randrw', '--bs=4k', '--iodepth=32', '--size=16m', '--fsync=500'];
    const mixed = ['--rw=randwrite', '--bsrange=512-256k', '--bs_unaligned', '--iodepth=8', '--size=32m'];
    for (const [name, options] of Object.entries({ random, mixed })) {
      const output = await tool('fio', `--name=${name}`, ...common, ...options);
      const { jobs } = JSON.parse(output.slice(output.indexOf('{'))) as {
        jobs: { error: number; write: { total_ios: number } }[];
      };
      expect(jobs[0]?.error).toBe(0);
      expect(jobs[0]?.write.total_ios).toBeGreaterThan(100);
    }
  });
});
