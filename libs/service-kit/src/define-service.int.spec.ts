import { createTestDatabase, type TestDatabase } from '@holdfast/embedded/testing';
import { connectBus } from '@holdfast/messaging';
import { Module } from '@nestjs/common';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { type Clock, CLOCK, defineService, type ServiceEnvironment } from './index.ts';
import { testContext } from '@holdfast/messaging/testing';

let database: TestDatabase;
let environment: ServiceEnvironment;
beforeEach(async () => {
  database = await createTestDatabase(inject('postgresAdminUrl'));
  environment = {
    mode: 'development',
    databaseUrl: database.serviceUrl,
    migrationDatabaseUrl: database.ownerUrl,
    nats: { servers: inject('natsUrl'), user: inject('natsUser'), password: inject('natsPassword') },
    logLevel: 'warn',
  };
});
afterEach(() => database.drop());

const GREETER = Symbol('Greeter');
class Greeter {
  constructor(private readonly clock: Clock) {}
  greet(name: string) {
    return `Hello ${name}, it is ${String(this.clock.now().getFullYear())}`;
  }
}
@Module({})
class GreeterModule {}

it('starts a service that answers', async () => {
  const start = defineService({
    name: 'identity',
    migrations: [],
    module: () => ({
      module: GreeterModule,
      providers: [{ provide: GREETER, useFactory: (clock: Clock) => new Greeter(clock), inject: [CLOCK] }],
    }),
    requests: (app) => ({
      Greet: async ({ name }: { name: string }) => app.get<Greeter>(GREETER).greet(name),
    }),
  });
  const service = await start(environment);
  const bus = await connectBus({ nats: environment.nats, name: 'test' });
  try {
    const greeting = await bus.request('identity', 'Greet', { name: 'Ada' }, testContext());
    expect(greeting).toBe(`Hello Ada, it is ${String(new Date().getFullYear())}`);
    expect(await service.ready()).toEqual({ nats: null, database: null });
  } finally {
    await bus.close();
    await service.close();
  }
});
