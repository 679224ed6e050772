import type { RequestContext } from '@holdfast/contracts';
import { afterEach, beforeEach, expect, inject, it } from 'vitest';
import { type Bus, connectBus } from './bus.ts';
import { LocalResponders } from './local-responders.ts';
import { testContext } from './testing/context.ts';
import type { ServiceName } from './types.ts';

// What holds for every request, over NATS or not, is tested in requests.int.spec.ts for both.

let asker: Bus;
let server: Bus;
let service: ServiceName;
let counter = 0;
const open: Bus[] = [];

const nats = () => ({ servers: inject('natsUrl'), user: inject('natsUser'), password: inject('natsPassword') });
const connectTestBus = async (local: LocalResponders | undefined): Promise<Bus> => {
  const bus = await connectBus({ nats: nats(), name: 'test', local });
  open.push(bus);
  return bus;
};

beforeEach(async () => {
  const local = new LocalResponders();
  [asker, server] = await Promise.all([connectTestBus(local), connectTestBus(local)]);
  service = `local-${String(process.pid)}-${String(counter++)}` as ServiceName;
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()));
});

/** Actions that were asked for over NATS. */
const heardOnNats = async (bus: Bus): Promise<string[]> => {
  const heard: string[] = [];
  bus.connection.subscribe(`${service}.request.>`, { callback: (_, { subject }) => void heard.push(subject) });
  await bus.connection.flush();
  return heard;
};

it('asks a service of its process without NATS, and one of another process over NATS', async () => {
  const elsewhere = await connectTestBus(undefined);
  const heard = await heardOnNats(elsewhere);
  await server.serveRequests(service, { Work: async () => 'done' });
  expect(await asker.request(service, 'Work', {}, testContext())).toBe('done');
  await asker.connection.flush();
  await elsewhere.connection.flush();
  expect(heard).toEqual([]);
  expect(await elsewhere.request(service, 'Work', {}, testContext())).toBe('done');
  expect(heard).toEqual([`${service}.request.Work.v1`]);
});

it('goes over NATS once the service of its process takes no more', async () => {
  const elsewhere = await connectTestBus(undefined);
  const here = await server.serveRequests(service, { Where: async () => 'here' });
  await elsewhere.serveRequests(service, { Where: async () => 'elsewhere' });
  expect(await asker.request(service, 'Where', {}, testContext())).toBe('here');
  await here.close();
  expect(await asker.request(service, 'Where', {}, testContext())).toBe('elsewhere');
});

it('shares no object with whom it asks', async () => {
  const kept: { list: number[] }[] = [];
  await server.serveRequests(service, {
    Keep: async (input: { list: number[] }, context: RequestContext) => {
      kept.push(input);
      input.list.push(2);
      (context as { userAgent: string }).userAgent = 'changed';
      return input;
    },
  });
  const [input, context] = [{ list: [1], at: new Date(0), none: undefined }, testContext()];
  const output = await asker.request<{ list: number[] }>(service, 'Keep', input, context);
  expect([input.list, context.userAgent]).toEqual([[1], 'test']);
  expect(output).toEqual({ list: [1, 2], at: '1970-01-01T00:00:00.000Z' }); // As JSON has it.
  output.list.push(3);
  expect(kept[0]?.list).toEqual([1, 2]);
});

it('keeps nobody from its turn who asks again and again', async () => {
  await server.serveRequests(service, { Ask: async () => null });
  let isLate = false;
  const timer = setTimeout(() => (isLate = true), 5);
  const context = testContext(30_000);
  while (!isLate) await asker.request(service, 'Ask', {}, context);
  clearTimeout(timer);
});

it('finishes on closing what was asked a moment before', async () => {
  const work = async () => new Promise((resolve) => setTimeout(() => resolve('done'), 20));
  const here = await server.serveRequests(service, { Work: work });
  const answer = asker.request(service, 'Work', {}, testContext());
  await here.close();
  expect(await answer).toBe('done');
});

it('is for buses of one broker and one user of it', () => {
  const local = new LocalResponders();
  const responder = { isTaking: true, deliver: () => undefined };
  const group = local.of({ servers: 'nats://a:4222', user: 'kms' });
  group.add(service, responder);
  expect(local.of({ servers: 'nats://a:4222', user: 'kms' }).find(service)).toBe(responder);
  expect(local.of({ servers: 'nats://a:4222', user: 'volumes' }).find(service)).toBeUndefined();
  expect(local.of({ servers: 'nats://b:4222', user: 'kms' }).find(service)).toBeUndefined();
  group.remove(service, responder);
  expect(group.find(service)).toBeUndefined();
});

it('asks over NATS whether a service is there', async () => {
  await server.serveRequests(service, { Work: async () => 'done' });
  const elsewhere = await connectTestBus(undefined);
  const heard = await heardOnNats(elsewhere);
  await asker.request(service, 'Ping', {}, testContext());
  await elsewhere.connection.flush();
  expect(heard).toEqual([`${service}.request.Ping.v1`]);
});
