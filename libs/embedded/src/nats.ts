import { mkdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedServerError } from './errors.ts';
import { provisionNatsServer } from './nats-binary.ts';
import { freePort } from './ports.ts';
import { commandLineOf, dyingWithParent, isAlive, ServerProcess, stopProcess } from './processes.ts';
import { openServerLog, type ServerLog } from './server-log.ts';

export interface NatsOptions {
  /** Holds configuration, pid file and JetStream's files. Made when missing. */
  readonly storeDir: string;
  /** A free one when left out. */
  readonly port?: number;
  readonly user: string;
  readonly password: string;
  /** Default `nats-server.log` beside the store. */
  readonly logFile?: string;
  /** Path of the binary; found or fetched when left out. */
  readonly binary?: string;
}

export interface RunningNats {
  /** `nats://127.0.0.1:<port>`; user and password travel apart. */
  readonly servers: string;
  readonly port: number;
  readonly pid: number;
  /** Resolves when the server has ended, by `stop` or otherwise. */
  readonly exited: Promise<void>;
  stop(): Promise<void>;
}

/** One message holds at most a request with a few blocks of 512 KiB; AWS's own limits are below it. */
const MAX_PAYLOAD_BYTES = 8 * 1024 * 1024;
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 5_000;
/** Who connects is a process that is just starting, on a machine that may be busy: nats-server's 2 seconds are too few. */
const AUTHENTICATION_TIMEOUT_SECONDS = 60;
const POLL_MS = 15;
const PORT_ATTEMPTS = 5;
const FIXED_PORT_RETRY_MS = 300;

/** Syncing after every message would cost much and buy nothing: the event tables are the truth, a lost stream is rebuilt. */
const configuration = ({ user, password, ...options }: NatsOptions, port: number): string =>
  [
    'host: "127.0.0.1"',
    `port: ${port}`,
    `max_payload: ${MAX_PAYLOAD_BYTES}`,
    `authorization { user: ${JSON.stringify(user)}, password: ${JSON.stringify(password)}, timeout: ${AUTHENTICATION_TIMEOUT_SECONDS} }`,
    `jetstream { store_dir: ${JSON.stringify(options.storeDir)} }`,
    '',
  ].join('\n');

/** Resolves true when a NATS server greets on this port. */
const greets = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const done = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => done(false));
    socket.once('error', () => done(false));
    socket.once('data', (data) => done(data.toString('latin1').startsWith('INFO ')));
  });

/** Its own word comes first: on a port that was just taken somebody else's server may answer. */
const becomesReady = async (server: ServerProcess, port: number, log: ServerLog): Promise<boolean> => {
  const giveUpAt = Date.now() + START_TIMEOUT_MS;
  while (!server.ended) {
    if (/Server is ready/.test(log.text()) && (await greets(port))) return true;
    if (Date.now() >= giveUpAt) await server.stop(['SIGTERM'], STOP_TIMEOUT_MS);
    await sleep(POLL_MS);
  }
  return false;
};

const clearRemains = async (pidFile: string, configFile: string): Promise<void> => {
  let pid: number;
  try {
    pid = Number(readFileSync(pidFile, 'utf8'));
  } catch {
    return;
  }
  if (Number.isInteger(pid) && pid > 1 && isAlive(pid) && commandLineOf(pid).includes(configFile)) {
    await stopProcess(pid, ['SIGTERM'], STOP_TIMEOUT_MS);
  }
  rmSync(pidFile, { force: true });
};

/**
 * Starts a nats-server with JetStream on 127.0.0.1 and resolves once it answers. Stops an orphan of an earlier run first.
 * @throws EmbeddedServerError with the server's own reason, or when there is no nats-server and none can be fetched.
 */
export const startNats = async (options: NatsOptions): Promise<RunningNats> => {
  const binary = options.binary ?? (await provisionNatsServer()).path;
  mkdirSync(options.storeDir, { recursive: true, mode: 0o700 });
  const storeDir = realpathSync(options.storeDir);
  const configFile = join(storeDir, 'nats-server.conf');
  const pidFile = join(storeDir, 'nats-server.pid');
  const logFile = options.logFile ?? join(dirname(storeDir), 'nats-server.log');
  await clearRemains(pidFile, configFile);

  let reason = '';
  for (let attempt = 1; attempt <= PORT_ATTEMPTS; attempt++) {
    const port = options.port ?? (await freePort());
    writeFileSync(configFile, configuration({ ...options, storeDir }, port), { mode: 0o600 });
    const log = openServerLog(logFile);
    try {
      const command = dyingWithParent([binary, '-c', configFile]);
      const server = ServerProcess.start(command, { cwd: storeDir, output: log.fd });
      writeFileSync(pidFile, String(server.pid), { mode: 0o600 });
      if (await becomesReady(server, port, log)) {
        const stop = async () => {
          await server.stop(['SIGTERM'], STOP_TIMEOUT_MS);
          rmSync(pidFile, { force: true });
        };
        return { servers: `nats://127.0.0.1:${port}`, port, pid: server.pid, exited: server.exited, stop };
      }
      const text = log.text();
      reason = /\[FTL\] (.*)/.exec(text)?.[1] ?? text.trim().split('\n').at(-1) ?? '';
      if (!/address already in use/.test(text)) break;
    } finally {
      log.close();
    }
    if (options.port !== undefined) await sleep(FIXED_PORT_RETRY_MS);
  }
  throw new EmbeddedServerError(`nats-server does not start: ${reason} (see ${logFile})`);
};
