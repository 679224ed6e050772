import type { MigrationClass } from '@holdfast/event-store/postgres';
import type { Bus, ConsumerOptions, RequestHandlers } from '@holdfast/messaging';
import type { DynamicModule, INestApplicationContext } from '@nestjs/common';
import type { Registry } from 'prom-client';
import type { Readiness } from './health-server.ts';
import type { Logger } from './logger.ts';
import type { ServiceParts } from './parts.ts';
import { ServiceRun } from './service-run.ts';
import type { Clock, RunningService, ServiceEnvironment } from './types.ts';

export interface ServiceDefinition {
  readonly name: RunningService['name'];
  /** The service's own, after the event store's. Present, even empty: the service has a database. */
  readonly migrations?: readonly MigrationClass[];
  /** The Nest module, with everything it needs at hand. */
  readonly module: (parts: ServiceParts) => DynamicModule;
  /** What the service answers, taken from its module. */
  readonly requests?: (app: INestApplicationContext) => RequestHandlers;
  /** Whose events it handles. */
  readonly consumers?: (app: INestApplicationContext) => readonly Omit<ConsumerOptions, 'owner'>[];
  /** Development mode: forgets what is kept outside of the database. Nothing is being handled meanwhile. */
  readonly reset?: (app: INestApplicationContext) => Promise<void>;
}

/** A service that runs, with what a composed start wants to see of it. */
export interface BootedService extends RunningService {
  readonly app: INestApplicationContext;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  ready(): Promise<Readiness>;
}

/**
 * Makes an app's `start`: connects, migrates, builds the Nest module, relays and consumes events, and last answers
 * requests. A start that fails leaves nothing open; `close` takes it all down in the opposite order.
 */
export const defineService =
  (definition: ServiceDefinition) =>
  async (environment: ServiceEnvironment): Promise<BootedService> => {
    const run = new ServiceRun(definition, environment);
    try {
      return await run.start();
    } catch (error) {
      await run.close();
      throw error;
    }
  };
