import type { Inbox, SubscribableStore } from '@holdfast/event-store';
import type { Database, PostgresEventStoreOptions } from '@holdfast/event-store/postgres';
import type { Bus } from '@holdfast/messaging';
import { type DynamicModule, Global, Module } from '@nestjs/common';
import type { Registry } from 'prom-client';
import type { Logger } from './logger.ts';
import type { Clock, ServiceEnvironment } from './types.ts';

/** `projections` run in each append's transaction, in this order; `upcasters` read events of older schema versions. */
export type EventStoreOptions = Pick<PostgresEventStoreOptions, 'projections' | 'upcasters'>;

/** Opens the service's event store with its projections; called once, by the module file. */
export type OpenEventStore = (options?: EventStoreOptions) => SubscribableStore;

/** What a service is built from. The same are injectable everywhere in its module under the tokens below. */
export interface ServiceParts {
  readonly environment: ServiceEnvironment;
  readonly bus: Bus;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Registry;
  /** Reading one of the next three in a service that declares no `migrations` throws. */
  readonly database: Database;
  readonly openEventStore: OpenEventStore;
  readonly inbox: Inbox;
}

export const ENVIRONMENT = Symbol('ServiceEnvironment');
/** A Bus; most take it as no more than `Requests`. */
export const BUS = Symbol('Bus');
export const CLOCK = Symbol('Clock');
export const LOGGER = Symbol('Logger');
export const METRICS = Symbol('Registry');
export const DATABASE = Symbol('Database');
export const OPEN_EVENT_STORE = Symbol('OpenEventStore');
export const INBOX = Symbol('Inbox');

@Global()
@Module({})
class PartsModule {}

/** Makes the parts injectable in the whole service. */
export const partsModule = (parts: ServiceParts, hasDatabase: boolean): DynamicModule => {
  const providers = [
    { provide: ENVIRONMENT, useValue: parts.environment },
    { provide: BUS, useValue: parts.bus },
    { provide: CLOCK, useValue: parts.clock },
    { provide: LOGGER, useValue: parts.logger },
    { provide: METRICS, useValue: parts.metrics },
    ...(hasDatabase
      ? [
          { provide: DATABASE, useValue: parts.database },
          { provide: OPEN_EVENT_STORE, useValue: parts.openEventStore },
          { provide: INBOX, useValue: parts.inbox },
        ]
      : []),
  ];
  return { module: PartsModule, providers, exports: providers.map(({ provide }) => provide) };
};
