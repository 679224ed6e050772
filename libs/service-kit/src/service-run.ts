import type { Server } from 'node:http';
import {
  type Database,
  eventStoreMigrations,
  openDatabase,
  PostgresEventStore,
  PostgresInbox,
} from '@holdfast/event-store/postgres';
import { Relay } from '@holdfast/event-store/relay';
import { type Bus, connectBus, type EventConsumer, type RequestServer, type ServiceName } from '@holdfast/messaging';
import { type INestApplicationContext, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Registry } from 'prom-client';
import { TurnableClock } from './clock.ts';
import { ConfigError } from './config.ts';
import type { BootedService, ServiceDefinition } from './define-service.ts';
import { listenForDevelopment, type ResetPhase } from './development.ts';
import { DatabaseEraser } from './empty-database.ts';
import { type Readiness, startHealthServer, stopHealthServer } from './health-server.ts';
import { createLogger, type Logger, nestLogger } from './logger.ts';
import { type EventStoreOptions, partsModule, type ServiceParts } from './parts.ts';
import { createServiceRegistry, dropServiceRegistry } from './process-metrics.ts';
import { relayObserver } from './relay-observer.ts';
import type { ServiceEnvironment } from './types.ts';

/** How long a part may take to say that it works, in milliseconds. */
const PROBE_TIMEOUT_MS = 2000;

@Module({})
class ServiceModule {}

const problemOf = async (probe: Promise<unknown>): Promise<string | null> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer in ${String(PROBE_TIMEOUT_MS)} ms`)), PROBE_TIMEOUT_MS);
  });
  try {
    await Promise.race([probe, late]);
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
};

/** One run of a service from its start to its close. */
export class ServiceRun {
  private readonly logger: Logger;
  private readonly metrics: Registry;
  /** Only development mode ever turns it. */
  private readonly clock = new TurnableClock();
  /** Undone last to first. */
  private readonly closers: (() => Promise<unknown>)[] = [];
  private readonly consumers: EventConsumer[] = [];
  private requestServer: RequestServer | undefined;
  private database: Database | undefined;
  private store: PostgresEventStore | undefined;
  private relay: Relay | undefined;
  private eraser: DatabaseEraser | undefined;
  private closing: Promise<void> | undefined;

  constructor(
    private readonly definition: ServiceDefinition,
    private readonly environment: ServiceEnvironment,
  ) {
    const { logLevel: level, logFile: file } = environment;
    this.logger = createLogger({ name: definition.name, level, file });
    this.metrics = createServiceRegistry(definition.name);
    this.closers.push(async () => dropServiceRegistry(this.metrics));
  }

  async start(): Promise<BootedService> {
    const { definition, environment, logger, metrics } = this;
    if (definition.migrations !== undefined) await this.openDatabase();
    const { nats, local } = environment;
    const bus = await connectBus({ nats, name: definition.name, metrics, logger, local });
    this.closers.push(() => bus.close());
    const app = await this.createApp(bus);
    if (environment.mode === 'development') await this.listenForDevelopment(bus, app);
    this.startRelay(bus);
    this.startConsumers(bus, app);
    await this.serveRequests(bus, app);
    const ready = () => this.readiness(bus);
    if (environment.http !== undefined) {
      const server: Server = await startHealthServer(environment.http, ready);
      this.closers.push(() => stopHealthServer(server));
    }
    logger.info({ mode: environment.mode }, 'started');
    const { clock } = this;
    return { name: definition.name, app, bus, clock, logger, metrics, ready, close: () => this.close() };
  }

  close(): Promise<void> {
    this.closing ??= this.undo();
    return this.closing;
  }

  private async undo(): Promise<void> {
    for (const closer of this.closers.splice(0).reverse()) {
      // What can't be closed must not keep the rest open.
      await closer().catch((error: unknown) => this.logger.error({ err: error }, 'a part did not close'));
    }
    this.logger.info({}, 'stopped');
  }

  private async openDatabase(): Promise<void> {
    const { name, migrations = [] } = this.definition;
    const { databaseUrl: url, migrationDatabaseUrl: migrationUrl } = this.environment;
    if (url === undefined) throw new ConfigError('a database is needed: set HOLDFAST_DATABASE_URL');
    const all = [...eventStoreMigrations, ...migrations];
    const database = await openDatabase({ url, migrationUrl, migrations: all, applicationName: `holdfast-${name}` });
    this.database = database;
    this.closers.push(() => database.close());
  }

  private openEventStore(options: EventStoreOptions = {}): PostgresEventStore {
    if (this.store !== undefined) throw new Error('the event store is opened once, by the module file');
    const store = new PostgresEventStore({ ...options, database: this.needDatabase(), service: this.definition.name });
    this.store = store;
    this.closers.push(() => store.close());
    return store;
  }

  private needDatabase(): Database {
    if (this.database === undefined) throw new Error(`${this.definition.name} declares no migrations, so no database`);
    return this.database;
  }

  private partsOf(bus: Bus): ServiceParts {
    const { environment, logger, metrics } = this;
    const needDatabase = () => this.needDatabase();
    return {
      environment,
      bus,
      clock: this.clock,
      logger,
      metrics,
      openEventStore: (options) => this.openEventStore(options),
      get database() {
        return needDatabase();
      },
      get inbox() {
        return new PostgresInbox(needDatabase());
      },
    };
  }

  private async createApp(bus: Bus): Promise<INestApplicationContext> {
    const parts = this.partsOf(bus);
    const imports = [partsModule(parts, this.database !== undefined), this.definition.module(parts)];
    const app = await NestFactory.createApplicationContext(
      { module: ServiceModule, imports },
      { logger: nestLogger(this.logger), abortOnError: false },
    );
    this.closers.push(() => app.close());
    return app;
  }

  private startRelay(bus: Bus): void {
    if (this.store === undefined) return;
    const { store, logger } = this;
    const observer = relayObserver(logger, this.metrics);
    const relay = new Relay({ store, connection: bus.connection, observer });
    this.relay = relay;
    this.closers.push(() => relay.close());
  }

  private startConsumers(bus: Bus, app: INestApplicationContext): void {
    const owner = this.definition.name as ServiceName;
    for (const options of this.definition.consumers?.(app) ?? []) {
      const consumer = bus.consume({ ...options, owner });
      this.consumers.push(consumer);
      this.closers.push(() => consumer.close());
    }
  }

  private async serveRequests(bus: Bus, app: INestApplicationContext): Promise<void> {
    const handlers = this.definition.requests?.(app);
    if (handlers === undefined) return;
    const server = await bus.serveRequests(this.definition.name as ServiceName, handlers);
    this.requestServer = server;
    this.closers.push(() => server.close());
  }

  private async readiness(bus: Bus): Promise<Readiness> {
    if (this.closing !== undefined) return { service: 'stopping' };
    const nats = problemOf(bus.connection.flush());
    if (this.database === undefined) return { nats: await nats };
    return { nats: await nats, database: await problemOf(this.database.ping()) };
  }

  private async listenForDevelopment(bus: Bus, app: INestApplicationContext): Promise<void> {
    const { name } = this.definition;
    if (this.database !== undefined) {
      const eraser = new DatabaseEraser(this.database);
      this.eraser = eraser;
      eraser.warmUp();
      this.closers.push(() => eraser.close());
    }
    const reset = (phase: ResetPhase) => this.reset(phase, bus, app);
    await listenForDevelopment(bus.connection, { service: name, clock: this.clock, reset });
  }

  private async reset(phase: ResetPhase, bus: Bus, app: INestApplicationContext): Promise<void> {
    if (phase === 'pause') {
      await Promise.all(this.consumers.map((consumer) => consumer.pause()));
    } else if (phase === 'clear') {
      await this.requestServer?.idle();
      const { eraser, relay } = this;
      if (eraser !== undefined) await (relay?.reset(() => eraser.empty()) ?? eraser.empty());
      await this.definition.reset?.(app);
      if (this.consumers.length > 0) await bus.parked.discardAll(this.definition.name);
    } else {
      // A handler that outlasted the pause keeps its consumer from going on, and nobody waiting.
      for (const consumer of this.consumers) void consumer.resume();
    }
  }
}
