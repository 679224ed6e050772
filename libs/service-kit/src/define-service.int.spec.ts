import { readFile } from 'node:fs/promises';
import { freePort } from '@holdfast/embedded';
import type { DeliveredEvent, Requests } from '@holdfast/messaging';
import { eventually, testContext } from '@holdfast/messaging/testing';
import { Module } from '@nestjs/common';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { BUS, defineService, resetServices, turnClocks } from './index.ts';
import { type Greeted, start as startGreeter } from './testing/greeter-service.ts';
import { startTestStack, type TestStack } from './testing/index.ts';

let stack: TestStack;
beforeEach(async () => {
  stack = await startTestStack(inject('postgresAdminUrl'));
});
afterEach(() => stack.close());

// A service without a database, which writes down the events of the README's example.
class Counter {
  readonly names: string[] = [];
  constructor(readonly bus: Requests) {}
}
@Module({ providers: [{ provide: Counter, useFactory: (bus: Requests) => new Counter(bus), inject: [BUS] }] })
class CounterModule {}
const startCounter = defineService({
  name: 'data-plane',
  module: () => ({ module: CounterModule }),
  consumers: (app) => [
    {
      name: 'greetings',
      source: 'identity',
      handlers: { Greeted: async ({ data }: DeliveredEvent<Greeted>) => void app.get(Counter).names.push(data.name) },
    },
  ],
  reset: async (app) => void app.get(Counter).names.splice(0),
});

const greet = (name: string) =>
  stack.bus.request<{ greeting: string; time: string }>('identity', 'Greet', { name }, testContext());
const greeted = () => stack.bus.request('identity', 'ListGuests', {}, testContext());

describe('a service', () => {
  it('is written as the README says', async () => {
    const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8');
    const example = (await read('./testing/greeter-service.ts')).replace('../index.ts', '@holdfast/service-kit');
    expect(await read('../README.md')).toContain(`\`\`\`ts\n${example}\`\`\``);
  });

  it('answers, keeps what it did, and tells others by events', async () => {
    const counter = await stack.start(startCounter);
    const greeter = await stack.start(startGreeter);
    expect((await greet('Ada')).greeting).toBe('Hello Ada');
    expect(await greeted()).toEqual([{ name: 'Ada' }]);
    await eventually(() => counter.app.get(Counter).names).toEqual(['Ada']);
    expect(await greeter.ready()).toEqual({ nats: null, database: null });
    expect(await counter.ready()).toEqual({ nats: null });
    expect(await greeter.metrics.metrics()).toMatch(/holdfast_requests_total\{service="identity",action="Greet",code="ok",app="identity"\} 1/); // prettier-ignore
  });

  it('finishes what it does before it closes, and starts again from its state', async () => {
    const environment = await stack.environment();
    const service = await startGreeter(environment);
    const reply = greet('Ada');
    await stack.bus.connection.flush(); // It is on its way to the service.
    await service.close();
    expect((await reply).greeting).toBe('Hello Ada');
    expect(await service.ready()).toEqual({ service: 'stopping' });
    const again = await startGreeter(environment);
    expect(await greeted()).toEqual([{ name: 'Ada' }]);
    await again.close();
  });

  it('refuses to start without the database it needs', async () => {
    const environment = { ...(await stack.environment()), databaseUrl: undefined };
    await expect(startGreeter(environment)).rejects.toThrow('HOLDFAST_DATABASE_URL');
  });

  it('leaves nothing open when it cannot start', async () => {
    const broken = defineService({
      name: 'identity',
      migrations: [],
      module: () => {
        throw new Error('no such thing');
      },
    });
    await expect(broken(await stack.environment())).rejects.toThrow('no such thing');
    // The test database can be dropped, and nobody serves the requests.
    await expect(greet('Ada')).rejects.toThrow('nobody serves it');
  });

  it('answers health and metrics over HTTP when it is given a port', async () => {
    const port = await freePort();
    const service = await startGreeter({ ...(await stack.environment()), http: { host: '127.0.0.1', port } });
    const get = async (path: string) => {
      const response = await fetch(`http://127.0.0.1:${String(port)}${path}`);
      return { status: response.status, text: await response.text() };
    };
    expect(await get('/health/live')).toMatchObject({ status: 200 });
    expect(await get('/health/ready')).toEqual({ status: 200, text: '{"status":"ok","parts":{"nats":null,"database":null}}' }); // prettier-ignore
    await greet('Ada');
    const { text } = await get('/metrics');
    expect(text).toContain('process_cpu_seconds_total');
    expect(text).toContain('holdfast_requests_total{service="identity",action="Greet",code="ok",app="identity"} 1');
    expect((await get('/')).status).toBe(404);
    await service.close();
    await expect(get('/health/live')).rejects.toThrow();
  });
});

describe('in development', () => {
  it('clocks can be turned, and later starters follow', async () => {
    await stack.start(startGreeter);
    await turnClocks(stack.bus.connection, ['identity'], 40 * 24 * 3_600_000);
    const days = async (name: string) =>
      Math.round((Date.parse((await greet(name)).time) - Date.now()) / (24 * 3_600_000));
    expect(await days('Ada')).toBe(40);
    const counter = await stack.start(startCounter);
    expect(counter.clock.now().getTime() - Date.now()).toBeGreaterThan(39 * 24 * 3_600_000);
    await expect(turnClocks(stack.bus.connection, ['identity'], 1e18)).rejects.toThrow("identity: a clock can't");
    await turnClocks(stack.bus.connection, ['identity', 'data-plane'], 0);
    expect(Math.abs(await days('Eve'))).toBe(0);
  });

  it('the state can be emptied in under 200 ms', async () => {
    const counter = await stack.start(startCounter);
    await stack.start(startGreeter);
    const { names } = counter.app.get(Counter);
    await greet('Ada');
    await eventually(() => names).toEqual(['Ada']);
    const reset = async (): Promise<number> => {
      const began = performance.now();
      await resetServices(stack.bus.connection, ['identity', 'data-plane']);
      return performance.now() - began;
    };
    let tookMs = await reset();
    expect(await greeted()).toEqual([]);
    expect(names).toEqual([]);
    await greet('Ada');
    await greet('Eve');
    await eventually(() => names).toEqual(['Ada', 'Eve']);
    // The best of several, since other suites keep the processor busy.
    for (let i = 0; i < 20 && tookMs >= 200; i++) tookMs = Math.min(tookMs, await reset());
    expect(tookMs).toBeLessThan(200);
  });

  it('the state can be emptied again after the connection for it broke', async () => {
    await stack.start(startGreeter);
    await greet('Ada');
    await resetServices(stack.bus.connection, ['identity']);
    await greet('Ada');
    const admin = new pg.Client({ connectionString: inject('postgresAdminUrl') });
    admin.on('error', () => undefined);
    await admin.connect();
    const broken = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'holdfast-identity-reset'`;
    expect((await admin.query(broken)).rowCount).toBe(1);
    await admin.end();
    await eventually(() =>
      resetServices(stack.bus.connection, ['identity']).then(greeted, (e: Error) => e.message),
    ).toEqual([]);
  });

  it('a reset says who did not answer', async () => {
    await stack.start(startCounter);
    await expect(resetServices(stack.bus.connection, ['data-plane', 'kms'], 200)).rejects.toThrow('kms: no answer');
  });

  it('only: a production start hears no broadcast', async () => {
    const service = await startGreeter({ ...(await stack.environment()), mode: 'production' });
    await greet('Ada');
    await expect(resetServices(stack.bus.connection, ['identity'], 200)).rejects.toThrow('identity: no answer');
    await expect(turnClocks(stack.bus.connection, ['identity'], 1000, 200)).rejects.toThrow('identity: no answer');
    expect(await greeted()).toEqual([{ name: 'Ada' }]);
    await service.close();
  });
});
