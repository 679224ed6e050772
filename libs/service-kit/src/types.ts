import type { Instant } from '@holdfast/contracts';
import type { LocalResponders, ServiceName } from '@holdfast/messaging';

/** Time is an input: everything that needs it gets this. In development it can be turned. */
export interface Clock {
  now(): Date;
  instant(): Instant;
}

/** What every service needs to start, whether `main.ts` read it from the environment or `holdfast up` made it. */
export interface ServiceEnvironment {
  mode: 'development' | 'production';
  /** Absent for services without a database. The service's own role: it may not update or delete events. */
  databaseUrl?: string;
  /** A role that may change the schema; migrations run when it is given. */
  migrationDatabaseUrl?: string;
  nats: { servers: string; user?: string; password?: string };
  /** Shared by the services of one process; absent: all requests go over NATS. */
  local?: LocalResponders;
  logLevel: string;
  /** Appended to instead of standard output. */
  logFile?: string;
  /** Where to answer /health/live, /health/ready and /metrics; absent: nowhere. */
  http?: { host: string; port: number };
  /** Settings of one service only, already validated by its config.ts. */
  settings?: Record<string, unknown>;
}

export interface RunningService {
  readonly name: ServiceName | 'api-gateway';
  close(): Promise<void>;
}

/** Exported by every app's `service.ts`. Resolves once the service answers requests. */
export type StartService = (environment: ServiceEnvironment) => Promise<RunningService>;
