import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startNats } from '@holdfast/embedded';
import { createTestDatabase } from '@holdfast/embedded/testing';
import { type Bus, connectBus } from '@holdfast/messaging';
import type { RunningService, ServiceEnvironment } from '../types.ts';

/** A nats-server of one suite's own: services have fixed subjects, so suites that share one would meet. */
export interface TestStack {
  readonly bus: Bus;
  readonly nats: ServiceEnvironment['nats'];
  /** A development environment with a database of its own. */
  environment(settings?: Record<string, unknown>): Promise<ServiceEnvironment>;
  /** Starts a service with a database of its own; it is closed with the stack. */
  start<Service extends RunningService>(
    start: (environment: ServiceEnvironment) => Promise<Service>,
    settings?: Record<string, unknown>,
  ): Promise<Service>;
  close(): Promise<void>;
}

/**
 * Real servers to start services against, in integration tests.
 * @param postgresAdminUrl `inject('postgresAdminUrl')`
 */
export const startTestStack = async (postgresAdminUrl: string): Promise<TestStack> => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-stack-'));
  const password = randomBytes(16).toString('hex');
  const server = await startNats({ storeDir: join(folder, 'nats'), user: 'test', password });
  const nats = { servers: server.servers, user: 'test', password };
  const bus = await connectBus({ nats, name: 'test' });
  const closers: (() => Promise<unknown>)[] = [
    () => rm(folder, { recursive: true, force: true }),
    () => server.stop(),
    () => bus.close(),
  ];
  const environment = async (settings?: Record<string, unknown>): Promise<ServiceEnvironment> => {
    const database = await createTestDatabase(postgresAdminUrl);
    closers.push(() => database.drop());
    return {
      mode: 'development',
      databaseUrl: database.serviceUrl,
      migrationDatabaseUrl: database.ownerUrl,
      nats,
      logLevel: process.env['HOLDFAST_TEST_LOG_LEVEL'] ?? 'fatal',
      settings,
    };
  };
  return {
    bus,
    nats,
    environment,
    start: async (start, settings) => {
      const service = await start(await environment(settings));
      closers.push(() => service.close());
      return service;
    },
    close: async () => {
      for (const closer of closers.splice(0).reverse()) await closer();
    },
  };
};
