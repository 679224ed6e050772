// The NBD server with and without encryption, beside qemu-nbd (raw, LUKS) and nbdkit: one fio at a time, the order of the
// servers reversed each round, ratios taken within a round. At QD 1 client and server take turns, so they share a core: on
// two, a request takes as long as waking the other core does, which swings by more than what is measured. Files are on tmpfs where there is one: a page cache with large
// folios slows small overwrites of whatever was read ahead, whoever serves them, and would hide what is measured.
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, readdirSync } from 'node:fs';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { selectXtsEngine } from '@holdfast/crypto/xts';
import { debianTool } from '../tools/testing/debian-tools.mjs';
import { median } from './median.ts';
import { processorSeconds } from './processor-time.ts';

const run = promisify(execFile);

const WORKLOADS = {
  '4 KiB random read, QD 32': { bytes: 4096, args: ['--rw=randread', '--bs=4k', '--iodepth=32'] },
  '4 KiB random write, QD 32': { bytes: 4096, args: ['--rw=randwrite', '--bs=4k', '--iodepth=32'] },
  '4 KiB random read, QD 1': { bytes: 4096, args: ['--rw=randread', '--bs=4k', '--iodepth=1'] },
  '4 KiB random write, QD 1': { bytes: 4096, args: ['--rw=randwrite', '--bs=4k', '--iodepth=1'] },
  '128 KiB sequential read, QD 8': { bytes: 131_072, args: ['--rw=read', '--bs=128k', '--iodepth=8'] },
  '128 KiB sequential write, QD 8': { bytes: 131_072, args: ['--rw=write', '--bs=128k', '--iodepth=8'] },
} as const;
export type BlockWorkload = keyof typeof WORKLOADS;
export const BLOCK_WORKLOADS = Object.keys(WORKLOADS) as BlockWorkload[];

export type BlockServerName =
  | 'plain'
  | 'encrypted'
  | 'encrypted-fallback'
  | 'plain-capped'
  | 'encrypted-capped'
  | 'qemu-raw'
  | 'qemu-luks'
  | 'nbdkit';

/** One fio run. */
export interface BlockSample {
  readonly iops: number;
  /** At QD 1 only. */
  readonly p50Micros?: number;
  /** Processor time of the server, per request; null where /proc does not tell. */
  readonly cpuMicros: number | null;
}

export interface BlockBench {
  /** The XTS engine that `encrypted` stands for. */
  readonly engine: string;
  /** Servers that could not be started here, and why. */
  readonly missing: Readonly<Partial<Record<BlockServerName, string>>>;
  /** By workload and server: one sample a round, in order. */
  readonly samples: Readonly<Record<BlockWorkload, Partial<Record<BlockServerName, readonly BlockSample[]>>>>;
}

export interface BlockBenchOptions {
  readonly rounds?: number;
  /** fio takes whole seconds. */
  readonly runSeconds?: number;
  /** How much of each volume is written and read. */
  readonly workingSetMiB?: number;
}

interface Running {
  readonly name: BlockServerName;
  readonly uri: string;
  readonly child: ChildProcess;
}

const VOLUME_GIB = 1;
/** What the capped servers are provisioned with: below what a slow machine does. */
export const CAPPED_IOPS = 4_000;
/** At a cap, only what is above it tells anything. */
const CAPPED_WORKLOADS: readonly BlockWorkload[] = ['4 KiB random read, QD 32', '4 KiB random write, QD 32'];

/** What is measured there is a fiftieth of a request: our own servers take so many turns for each of the others'. */
const TURNS_AT_QD_1 = 3;
/** Every request's completion latency, in nanoseconds: fio's own percentiles come in steps of 0.5 µs here, as much as is measured. */
const LATENCY_LOG = { args: ['--write_lat_log=latency'], file: 'latency_clat.1.log' };

/** Runs all workloads on all servers. Takes rounds × workloads × servers × (runSeconds + 0.4) seconds, and half of it again. */
export const benchBlock = async (options: BlockBenchOptions = {}): Promise<BlockBench> => {
  const { rounds = 5, runSeconds = 1, workingSetMiB = 128 } = options;
  const fio = await debianTool('fio');
  const folder = await mkdtemp(join(isWritable('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-bench-'));
  const running: Running[] = [];
  const missing: Partial<Record<BlockServerName, string>> = {};
  const cores = await coresOf(process.pid);
  const fioOn = async ({ uri }: Running, args: readonly string[], fioCores = cores): Promise<string> => {
    const common = [
      '--name=bench',
      '--ioengine=nbd',
      `--uri=${uri}`,
      `--size=${workingSetMiB}m`,
      '--output-format=json',
    ];
    const command = ['-c', fioCores, fio.path, ...common, ...args];
    const { stdout } = await run('taskset', command, { env: fio.env, cwd: folder, maxBuffer: 1 << 24 });
    return stdout.slice(stdout.indexOf('{'));
  };
  try {
    for (const [name, start] of Object.entries(SERVERS) as [BlockServerName, StartServer][]) {
      try {
        running.push({ name, ...(await start(folder)) });
      } catch (error) {
        missing[name] = error instanceof Error ? error.message : String(error);
      }
    }
    // Holes are quicker than data, and not what is measured.
    for (const server of running) await fioOn(server, ['--rw=write', '--bs=128k', '--iodepth=8', '--refill_buffers']);
    const samples = await measure(running, rounds, async (server, { args }) => {
      const timed = [...args, '--time_based', `--runtime=${runSeconds}`, '--norandommap'];
      if (!args.some((arg) => arg === '--iodepth=1')) return sampleOf(server, () => fioOn(server, timed));
      const [core = '0'] = cores.split(/[,-]/);
      await keepOn(core, server);
      const sample = await sampleOf(server, () => fioOn(server, [...timed, ...LATENCY_LOG.args], core));
      await keepOn(cores, server);
      return { ...sample, p50Micros: await medianMicros(join(folder, LATENCY_LOG.file)) };
    });
    return { engine: selectXtsEngine().engine.name, missing, samples };
  } finally {
    await Promise.all(running.map(({ child }) => stop(child)));
    await rm(folder, { recursive: true, force: true });
  }
};

/** Median of one server's rates divided by another's at about the same time; whoever took more turns is asked for some of them. */
export const pairedRatio = (ours: readonly BlockSample[], theirs: readonly BlockSample[]): number => {
  const pairs = Math.min(ours.length, theirs.length);
  const rate = (samples: readonly BlockSample[], pair: number) =>
    samples[Math.floor((pair * samples.length) / pairs)]?.iops ?? Number.NaN;
  return median(Array.from({ length: pairs }, (_, pair) => rate(ours, pair) / rate(theirs, pair)));
};

/** @returns a list of processor cores, as taskset takes it. */
const coresOf = async (pid: number): Promise<string> => {
  const { stdout } = await run('taskset', ['-c', '-p', String(pid)]);
  return stdout.slice(stdout.lastIndexOf(':') + 1).trim();
};

/** All threads of a server. */
const keepOn = (cores: string, { child }: Running) => run('taskset', ['-a', '-c', '-p', cores, String(child.pid)]);

const turns = (order: readonly Running[], workload: BlockWorkload): readonly Running[] => {
  const all = order.filter(({ name }) => !name.endsWith('-capped') || CAPPED_WORKLOADS.includes(workload));
  const own = workload.endsWith('QD 1') ? all.filter(({ name }) => name === 'plain' || name === 'encrypted') : [];
  return [...all, ...Array.from({ length: TURNS_AT_QD_1 - 1 }, () => own).flat()];
};

const measure = async (
  servers: readonly Running[],
  rounds: number,
  sample: (server: Running, workload: (typeof WORKLOADS)[BlockWorkload]) => Promise<BlockSample>,
): Promise<BlockBench['samples']> => {
  const collected = Object.fromEntries(BLOCK_WORKLOADS.map((workload) => [workload, {}])) as Record<
    BlockWorkload,
    Partial<Record<BlockServerName, BlockSample[]>>
  >;
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? servers : [...servers].reverse();
    for (const workload of BLOCK_WORKLOADS) {
      for (const server of turns(order, workload)) {
        const taken = await sample(server, WORKLOADS[workload]);
        (collected[workload][server.name] ??= []).push(taken);
      }
    }
  }
  return collected;
};

/** @param path of a log of fio's: time, value, direction, size and offset of each request. */
const medianMicros = async (path: string): Promise<number> => {
  const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
  return median(lines.map((line) => Number(line.split(',')[1]))) / 1000;
};

const sampleOf = async ({ child }: Running, measured: () => Promise<string>): Promise<BlockSample> => {
  const before = processorSeconds(child.pid);
  const { jobs } = JSON.parse(await measured()) as { jobs: Record<'read' | 'write', FioDirection>[] };
  const after = processorSeconds(child.pid);
  const direction = jobs[0] === undefined || jobs[0].read.total_ios > 0 ? jobs[0]?.read : jobs[0].write;
  if (direction === undefined || direction.total_ios === 0) throw new Error('fio reports no requests');
  const cpuMicros = before === null || after === null ? null : ((after - before) * 1e6) / direction.total_ios;
  return { iops: direction.iops, cpuMicros };
};

interface FioDirection {
  readonly iops: number;
  readonly total_ios: number;
}

type StartServer = (folder: string) => Promise<{ uri: string; child: ChildProcess }>;

const startOwn =
  (label: string, cipher: string, ...cap: readonly string[]): StartServer =>
  async (folder) => {
    const socketPath = join(folder, `${label}.sock`);
    const args = [join(folder, label), socketPath, String(VOLUME_GIB), cipher, ...cap];
    const program = join(dirname(process.argv[1] ?? ''), 'block-server.js'); // Bundled beside the program that runs.
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const [message] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as unknown[];
    if (message !== 'ready') throw new Error(`the server ended with ${String(message)}`);
    return { uri: `nbd+unix:///?socket=${socketPath}`, child };
  };

/** Starts a program that serves NBD on a socket until it is told to stop. */
const startTool = async (program: string, folder: string, args: (socketPath: string) => readonly string[]) => {
  const tool = await debianTool(program);
  const socketPath = join(folder, `${program}-${args('').length}.sock`);
  const child = spawn(tool.path, args(socketPath), { env: tool.env, stdio: ['ignore', 'ignore', 'inherit'] });
  for (let waitedMs = 0; !existsSync(socketPath); waitedMs += 20) {
    if (child.exitCode !== null || waitedMs > 5000) throw new Error(`${program} did not start`);
    await sleep(20);
  }
  return { uri: `nbd+unix:///?socket=${socketPath}`, child };
};

const rawFile = async (folder: string, name: string): Promise<string> => {
  const path = join(folder, name);
  await writeFile(path, '');
  await truncate(path, VOLUME_GIB * 1024 ** 3);
  return path;
};

const startQemuRaw: StartServer = async (folder) => {
  const path = await rawFile(folder, 'qemu.raw');
  return startTool('qemu-nbd', folder, (socket) => ['-k', socket, '-t', '-e', '8', '-f', 'raw', path]);
};

const startQemuLuks: StartServer = async (folder) => {
  const path = join(folder, 'qemu.luks');
  const secret = ['--object', 'secret,id=key,data=benchmark'];
  const image = await debianTool('qemu-img');
  // Few rounds of key derivation: they protect a passphrase, and take no part in reading and writing.
  const create = ['create', '-f', 'luks', ...secret, '-o', 'key-secret=key,iter-time=10', path, `${VOLUME_GIB}G`];
  for (let attempt = 1; ; attempt += 1) {
    try {
      await run(image.path, create, { env: image.env });
      break;
    } catch (error) {
      // It times its key derivation by processor time, and gives up when a busy machine's clock tells it nothing.
      if (attempt === 10) throw error;
    }
  }
  const options = `driver=luks,key-secret=key,file.driver=file,file.filename=${path}`;
  return startTool('qemu-nbd', folder, (socket) => ['-k', socket, '-t', '-e', '8', ...secret, '--image-opts', options]);
};

const startNbdkit: StartServer = async (folder) => {
  const path = await rawFile(folder, 'nbdkit.raw');
  const { path: program } = await debianTool('nbdkit');
  // Unpacked elsewhere than it was built for, it looks for its plugins in the wrong place.
  const lib = join(dirname(program), '../lib');
  const found = program.startsWith('/usr/')
    ? undefined
    : readdirSync(lib, { recursive: true }).find((file) => file.toString().endsWith('nbdkit-file-plugin.so'));
  const plugin = found === undefined ? 'file' : join(lib, found.toString());
  return startTool('nbdkit', folder, (socket) => ['-f', '-U', socket, plugin, path]);
};

const SERVERS: Readonly<Record<BlockServerName, StartServer>> = {
  plain: startOwn('plain', 'plain'),
  encrypted: startOwn('encrypted', 'selected'),
  'encrypted-fallback': startOwn('fallback', 'node-crypto'),
  'plain-capped': startOwn('plain-cap', 'plain', String(CAPPED_IOPS)),
  'encrypted-capped': startOwn('cap', 'selected', String(CAPPED_IOPS)),
  'qemu-raw': startQemuRaw,
  'qemu-luks': startQemuLuks,
  nbdkit: startNbdkit,
};

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill();
  const tooLong = setTimeout(() => child.kill('SIGKILL'), 3000);
  await exited;
  clearTimeout(tooLong);
};

const isWritable = (folder: string): boolean => {
  try {
    accessSync(folder, constants.W_OK);
    return true;
  } catch {
    return false;
  }
};
