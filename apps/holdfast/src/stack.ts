import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  provisionNatsServer,
  startNats,
  startPostgres,
  type RunningNats,
  type RunningPostgres,
} from '@holdfast/embedded';
import { LocalResponders } from '@holdfast/messaging';
import type { RunningService } from '@holdfast/service-kit';
import type { StackLimits } from './config.ts';
import { ensureDatabases, type ServiceDatabase } from './databases.ts';
import { UserError } from './errors.ts';
import { homePaths, readSecrets, type Secrets } from './home.ts';
import { checkNats, parseNatsUrl, type NatsAccess } from './nats.ts';
import { LOOPBACK, SERVICES, type LoadService } from './services.ts';
import { removeStackFile, writeStackFile } from './stack-file.ts';
import { supervise, type Supervised, type SupervisorHooks } from './supervisor.ts';

export interface StackOptions {
  /** Opened and locked. */
  readonly home: string;
  readonly port: number;
  readonly logLevel: string;
  /** The token that holds the root keys, in place of files. */
  readonly pkcs11?: object;
  readonly limits?: StackLimits;
  /** As `data-plane` reads it: the object store that blocks of snapshots are in, and the block devices of volumes. */
  readonly host?: object | undefined;
  /** `local`: services ask each other within the process; `nats`: over NATS, as in a cluster. */
  readonly requests: 'local' | 'nats';
  /** False for a stack whose state is thrown away. */
  readonly durable: boolean;
  /** A server to use in place of our own. */
  readonly natsUrl?: string;
  readonly loadService: LoadService;
  /** One line about something the user should know. */
  report(line: string): void;
  /** The stack cannot go on and must be stopped. */
  onFailure(reason: Error): void;
}

export interface Stack {
  readonly endpoint: string;
  /** Services that the build does not have. */
  readonly missing: readonly string[];
  /**
   * Starts servers, databases and services; resolves once all of them answer.
   * @throws what kept it from starting. What has started meanwhile goes on until `stop`.
   */
  start(): Promise<void>;
  /** Services first, those that ask before those that answer; then nats-server, then Postgres. Not while `start` is pending. */
  stop(): Promise<void>;
  /** Interrupts the servers without waiting for anything. */
  abandon(): void;
}

/** A service that hangs must not keep the databases from being closed in order. */
const CLOSE_TIMEOUT_MS = 10_000;
const NATS_USER = 'holdfast';
/** By name, since services come from bundles of their own. */
const MENDED_BY_USER: ReadonlySet<string> = new Set([
  'ConfigError',
  'RootKeyError',
  'ForeignStore',
  'StoreUnavailable',
]);

const closeService = async (service: RunningService, report: (line: string) => void): Promise<void> => {
  const late = Symbol('late');
  const patience = new AbortController();
  try {
    const timeout = sleep(CLOSE_TIMEOUT_MS, late, { signal: patience.signal, ref: false });
    timeout.catch(() => undefined);
    if ((await Promise.race([service.close(), timeout])) === late)
      report(`${service.name} did not stop within ${CLOSE_TIMEOUT_MS / 1000} s`);
  } catch (error) {
    report(`${service.name} did not stop cleanly: ${(error as Error).message}`);
  } finally {
    patience.abort();
  }
};

class EmbeddedStack implements Stack {
  readonly endpoint: string;
  readonly missing: string[] = [];
  private readonly startedAt = new Date().toISOString();
  private readonly secrets: Secrets;
  private postgres?: Supervised<RunningPostgres>;
  private nats?: Supervised<RunningNats>;
  private natsAccess: NatsAccess = { servers: '' };
  private databases: Record<string, ServiceDatabase> = {};
  private readonly services = new Map<string, RunningService>();
  private stopped?: Promise<void>;

  constructor(private readonly options: StackOptions) {
    this.endpoint = `http://${LOOPBACK}:${options.port}`;
    this.secrets = readSecrets(
      options.home,
      SERVICES.filter(({ database }) => database).map(({ name }) => name),
    );
  }

  async start(): Promise<void> {
    const loading = this.loadServices();
    const started = await Promise.allSettled([this.startPostgres(), this.startNats(), loading]);
    for (const result of started) if (result.status === 'rejected') throw result.reason;
    await this.startServices(await loading);
    this.writeStackFile();
  }

  stop(): Promise<void> {
    this.stopped ??= this.stopInOrder();
    return this.stopped;
  }

  abandon(): void {
    for (const server of [this.nats?.current(), this.postgres?.current()]) {
      try {
        if (server !== undefined) process.kill(server.pid, 'SIGINT');
      } catch {
        // It is gone already.
      }
    }
  }

  private hooks(): SupervisorHooks {
    const { report, onFailure } = this.options;
    return {
      onDeath: (name) => report(`${name} ended unexpectedly: starting it again`),
      onRestart: (name, server) => {
        report(`${name} runs again (process ${server.pid})`);
        this.writeStackFile();
      },
      onGiveUp: (name, reason) => onFailure(new Error(`${name} does not stay up: ${reason.message}`)),
    };
  }

  private async startPostgres(): Promise<void> {
    const { home, durable } = this.options;
    const { postgres: dataDir, logs } = homePaths(home);
    const settings = { dataDir, durable, password: this.secrets.postgres, logFile: join(logs, 'postgres.log') };
    this.postgres = await supervise('Postgres', (port) => startPostgres({ ...settings, port }), this.hooks());
    const names = SERVICES.filter(({ database }) => database).map(({ name }) => name);
    this.databases = await ensureDatabases(this.postgres.current().url, names, this.secrets);
  }

  private async startNats(): Promise<void> {
    const { home, natsUrl } = this.options;
    if (natsUrl !== undefined) {
      this.natsAccess = parseNatsUrl(natsUrl);
      return checkNats(this.natsAccess);
    }
    const binary = (await provisionNatsServer()).path;
    const { nats: storeDir, logs } = homePaths(home);
    const access = { user: NATS_USER, password: this.secrets.nats };
    const settings = { ...access, binary, storeDir, logFile: join(logs, 'nats-server.log') };
    this.nats = await supervise('nats-server', (port) => startNats({ ...settings, port }), this.hooks());
    this.natsAccess = { ...access, servers: this.nats.current().servers };
  }

  /** Reading the programs takes as long as starting the databases, so both happen at once. */
  private loadServices() {
    return Promise.all(
      SERVICES.map(async (description) => ({ description, start: await this.options.loadService(description.name) })),
    );
  }

  private async startServices(loaded: Awaited<ReturnType<EmbeddedStack['loadServices']>>): Promise<void> {
    const { home, port, logLevel, pkcs11, limits = {}, host, requests } = this.options;
    const local = requests === 'local' ? new LocalResponders() : undefined;
    const results = await Promise.allSettled(
      loaded.map(async ({ description: { name, settings }, start }) => {
        if (start === undefined) return this.missing.push(name);
        const database = this.databases[name];
        try {
          const running = await start({
            mode: 'development',
            databaseUrl: database?.serviceUrl,
            migrationDatabaseUrl: database?.ownerUrl,
            nats: this.natsAccess,
            local,
            logLevel,
            logFile: join(homePaths(home).logs, 'holdfast.log'),
            settings: settings({ home, port, pkcs11, limits, host }),
          });
          return this.services.set(name, running);
        } catch (error) {
          const { name: kind, message } = error as Error;
          const text = `${name} does not start: ${message}`;
          throw MENDED_BY_USER.has(kind) ? new UserError(text) : new Error(text, { cause: error });
        }
      }),
    );
    for (const result of results) if (result.status === 'rejected') throw result.reason;
  }

  private writeStackFile(): void {
    const [postgres, nats] = [this.postgres?.current(), this.nats?.current()];
    if (postgres === undefined || this.stopped !== undefined) return;
    writeStackFile({
      pid: process.pid,
      startedAt: this.startedAt,
      mode: 'development',
      endpoint: this.endpoint,
      home: this.options.home,
      postgres: { url: postgres.url, port: postgres.port, pid: postgres.pid },
      nats: { ...this.natsAccess, pid: nats?.pid },
      databases: this.databases,
    });
  }

  private async stopInOrder(): Promise<void> {
    const { home, report } = this.options;
    removeStackFile(home);
    for (const { name } of SERVICES) {
      const service = this.services.get(name);
      if (service !== undefined) await closeService(service, report);
    }
    await this.nats?.stop();
    await this.postgres?.stop();
  }
}

export const createStack = (options: StackOptions): Stack => new EmbeddedStack(options);
