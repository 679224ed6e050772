import { execFile } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { EmbeddedServerError } from './errors.ts';
import { freePort } from './ports.ts';
import { postgresBinaries, type PostgresBinaries } from './postgres-binaries.ts';
import { commandLineOf, dyingWithParent, isAlive, ServerProcess, stopProcess } from './processes.ts';
import { openServerLog } from './server-log.ts';
import { unprivilegedPrefix } from './unprivileged.ts';

export interface PostgresOptions {
  /** Made when missing. One server at a time: an orphan of an earlier run is stopped first. */
  readonly dataDir: string;
  /** A free one when left out. */
  readonly port?: number;
  /** Of the superuser `postgres`; must be the same at every start of one data directory. */
  readonly password: string;
  /** Server messages are appended to this file; default `postgres.log` beside the data directory. */
  readonly logFile?: string;
  /** False for servers that only tests use: no fsync, so that a power cut loses everything, but a crash of the server nothing. Default true. */
  readonly durable?: boolean;
}

export interface RunningPostgres {
  /** Of the superuser, database `postgres`; by a Unix socket where there is one. TCP on 127.0.0.1 is there as well. */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server has ended, by `stop` or otherwise. */
  readonly exited: Promise<void>;
  /** Open transactions are rolled back; what was committed is on disk. */
  stop(): Promise<void>;
}

const SUPERUSER = 'postgres';
const START_TIMEOUT_MS = 60_000; // Replaying the log after a power cut takes a while.
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 15;
const PORT_ATTEMPTS = 5;
/** When the port is fixed, its last user may need a moment to let go. */
const FIXED_PORT_RETRY_MS = 300;

/** One call for the whole file system instead of one for each of a thousand files; only Linux has it. */
const SYNC_METHOD = process.platform === 'linux' ? 'syncfs' : 'fsync';

const SETTINGS = {
  listen_addresses: '127.0.0.1',
  max_connections: '200',
  shared_buffers: '64MB',
  wal_level: 'minimal', // No replicas here.
  max_wal_senders: '0',
  timezone: 'UTC',
  log_timezone: 'UTC',
  log_destination: 'stderr',
  logging_collector: 'off',
  password_encryption: 'scram-sha-256',
  recovery_init_sync_method: SYNC_METHOD,
};
/** A commit still reaches the operating system, so it survives a kill -9 of the server. */
const NOT_DURABLE = { fsync: 'off', full_page_writes: 'off' };

const SOCKET_NAME = '.s.PGSQL.';
/** Of `sun_path` in Linux, its ending zero byte included, less the name of a socket with the longest port. */
const SOCKET_FOLDER_BYTES = 108 - `/${SOCKET_NAME}65535`.length - 1;

/**
 * The data directory, which is the server's user's alone: what crosses a socket there costs half of what TCP does. Undefined
 * where the system has no such sockets, or the name is too long for one or would be read as a list.
 */
const socketFolder = (dataDir: string): string | undefined =>
  process.platform !== 'win32' && Buffer.byteLength(dataDir) <= SOCKET_FOLDER_BYTES && !/[",]/.test(dataDir)
    ? dataDir
    : undefined;

/** Of libpq, psql and node-postgres alike: `host` in the query goes before the address, which is the server's as well. */
const urlOf = (port: number, password: string, folder: string | undefined): string => {
  const url = new URL(`postgres://${SUPERUSER}@127.0.0.1:${String(port)}/postgres`);
  url.password = password;
  if (folder !== undefined) url.search = `host=${encodeURIComponent(folder)}`; // libpq reads no `+` as a space.
  return url.href;
};

const environment = (): NodeJS.ProcessEnv => {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('PG'));
  return { ...Object.fromEntries(inherited), LC_ALL: 'C' };
};

/** Made aside and moved into place, so that what a crash leaves half-made is never started. */
const initialize = async (binaries: PostgresBinaries, options: PostgresOptions): Promise<void> => {
  const { dataDir, password, durable = true } = options;
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0)
    throw new EmbeddedServerError(`${dataDir} is neither empty nor a data directory of Postgres`);
  const aside = `${dataDir}.new`;
  const passwordFile = `${dataDir}.password`;
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { mode: 0o700 });
  try {
    writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
    const [file = '', ...args] = [
      ...unprivilegedPrefix(binaries.postgres, aside),
      binaries.initdb,
      `--pgdata=${aside}`,
      `--username=${SUPERUSER}`,
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale=C',
      ...(durable ? ['--data-checksums', `--sync-method=${SYNC_METHOD}`] : ['--no-sync', '--no-data-checksums']),
    ];
    await promisify(execFile)(file, args, { cwd: aside, env: environment() });
    renameSync(aside, dataDir);
  } catch (error) {
    if (error instanceof EmbeddedServerError) throw error;
    const reason = String((error as { stderr?: string }).stderr || error).trim();
    throw new EmbeddedServerError(`Postgres cannot make its data directory ${dataDir}: ${reason}`);
  } finally {
    rmSync(passwordFile, { force: true });
    rmSync(aside, { recursive: true, force: true });
  }
};

/** Lines of postmaster.pid: pid, data directory, start time, port, socket directory, address, shared memory, status. */
const readPidFile = (dataDir: string): { pid: number; ready: boolean } | undefined => {
  try {
    const lines = readFileSync(join(dataDir, 'postmaster.pid'), 'utf8').split('\n');
    const pid = Number(lines[0]);
    return Number.isInteger(pid) && pid > 1 ? { pid, ready: lines[7]?.trim() === 'ready' } : undefined;
  } catch {
    return undefined;
  }
};

/**
 * After kill -9 of its parent the server may still run; after kill -9 of itself its pid file remains, and the pid may be
 * another process's by now. As root's processes all look alike from inside the namespace, Postgres could not tell.
 */
const clearRemains = async (dataDir: string): Promise<void> => {
  const pidFile = readPidFile(dataDir);
  if (pidFile === undefined) return;
  const commandLine = commandLineOf(pidFile.pid);
  if (isAlive(pidFile.pid) && commandLine.includes('postgres') && commandLine.includes(dataDir)) {
    await stopProcess(pidFile.pid, ['SIGINT', 'SIGQUIT'], STOP_TIMEOUT_MS);
  }
  rmSync(join(dataDir, 'postmaster.pid'), { force: true });
  for (const name of readdirSync(dataDir)) if (name.startsWith(SOCKET_NAME)) rmSync(join(dataDir, name));
};

type Outcome = { state: 'ready' } | { state: 'ended'; portTaken: boolean; reason: string };

const untilReady = async (server: ServerProcess, dataDir: string, log: () => string): Promise<Outcome> => {
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    if (server.ended) {
      const text = log();
      const reason = /FATAL:\s*(.*)/.exec(text)?.[1] ?? text.trim().split('\n').at(-1) ?? '';
      return { state: 'ended', portTaken: /Address already in use/.test(text), reason };
    }
    const pidFile = readPidFile(dataDir);
    if (pidFile?.pid === server.pid && pidFile.ready) return { state: 'ready' };
    if (Date.now() >= giveUpAt) {
      await server.stop(['SIGQUIT'], STOP_TIMEOUT_MS);
      return { state: 'ended', portTaken: false, reason: `not ready after ${START_TIMEOUT_MS / 1000} s` };
    }
    await sleep(POLL_MS);
  }
};

/**
 * Starts the Postgres that npm installed, on 127.0.0.1 and with a password, and resolves once it accepts connections.
 * Recovers what an earlier run left: a stale pid file, or a server that still runs on this data directory.
 * @throws EmbeddedServerError with the server's own reason.
 */
export const startPostgres = async (options: PostgresOptions): Promise<RunningPostgres> => {
  const binaries = postgresBinaries();
  const parent = dirname(resolve(options.dataDir));
  mkdirSync(parent, { recursive: true, mode: 0o700 });
  const dataDir = join(realpathSync(parent), basename(options.dataDir));
  const logFile = options.logFile ?? join(dirname(dataDir), 'postgres.log');
  await clearRemains(dataDir);
  if (!existsSync(join(dataDir, 'PG_VERSION'))) await initialize(binaries, { ...options, dataDir });
  const prefix = unprivilegedPrefix(binaries.postgres, dataDir);

  const folder = socketFolder(dataDir);
  const settings = {
    ...SETTINGS,
    unix_socket_directories: folder ?? '',
    ...(options.durable === false ? NOT_DURABLE : {}),
  };
  const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  let reason = '';
  for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt++) {
    const port = options.port ?? (await freePort());
    const command = [...prefix, ...dyingWithParent([binaries.postgres, '-D', dataDir, '-p', String(port), ...flags])];
    const log = openServerLog(logFile);
    try {
      const server = ServerProcess.start(command, { cwd: dataDir, env: environment(), output: log.fd });
      const outcome = await untilReady(server, dataDir, log.text);
      if (outcome.state === 'ready') {
        const url = urlOf(port, options.password, folder);
        const stop = () => server.stop(['SIGINT', 'SIGQUIT'], STOP_TIMEOUT_MS);
        return { url, port, pid: server.pid, exited: server.exited, stop };
      }
      reason = outcome.reason;
      if (!outcome.portTaken && !/shared memory block/.test(reason)) break;
    } finally {
      log.close();
    }
    if (options.port !== undefined) await sleep(FIXED_PORT_RETRY_MS);
  }
  throw new EmbeddedServerError(`Postgres does not start: ${reason} (see ${logFile})`);
};
