import { AwsError, type RequestContext } from '@holdfast/contracts';
import { VersionConflict } from '@holdfast/decider';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Bus, connectBus } from './bus.ts';
import { InternalError, PayloadTooLarge, RequestTimeout, ServiceUnavailable } from './errors.ts';
import { LocalResponders } from './local-responders.ts';
import { type BusLogger, silentLogger } from './logger.ts';
import { testContext } from './testing/context.ts';
import { eventually } from './testing/eventually.ts';
import { parseTraceparent } from './trace.ts';
import type { ServiceName } from './types.ts';

const open: Bus[] = [];
/** Of the buses of one test, where they are one process's. */
let local: LocalResponders | undefined;
const connectTestBus = async (metrics?: Registry, logger?: BusLogger): Promise<Bus> => {
  const nats = { servers: inject('natsUrl'), user: inject('natsUser'), password: inject('natsPassword') };
  const bus = await connectBus({ nats, name: 'test', metrics, local, logger });
  open.push(bus);
  return bus;
};
afterEach(async () => {
  await Promise.all(open.splice(0).map((bus) => bus.close()));
});

/** Suites share one server, so each test has a service of its own. */
let counter = 0;
const newService = () => `test-${String(process.pid)}-${String(counter++)}` as ServiceName;
const gate = () => {
  let release = (): void => undefined;
  const opened = new Promise<void>((resolve) => (release = resolve));
  return { opened, release };
};

/** What holds over NATS holds within a process, too. */
describe.each(['over NATS', 'within a process'])('%s', (shape) => {
  beforeEach(() => {
    local = shape === 'over NATS' ? undefined : new LocalResponders();
  });

  describe('a request', () => {
    it('is answered with what the handler returns, and carries its context', async () => {
      const [server, client, service] = [await connectTestBus(), await connectTestBus(), newService()];
      await server.serveRequests(service, {
        Echo: async (input: { text: string }, context: RequestContext) => ({ text: input.text, context }),
      });
      const context = testContext(60_000, { userAgent: 'aws-cli/2 ünïcode\r\nHoldfast-Reply: ok ', viaService: 'ec2.eu-central-1.amazonaws.com' }); // prettier-ignore
      const reply = await client.request<{ text: string; context: RequestContext }>(service, 'Echo', { text: 'hé' }, context); // prettier-ignore
      expect(reply.text).toBe('hé');
      expect(reply.context).toMatchObject({ ...context, traceparent: expect.any(String) as string });
    });

    it('goes on in the trace it came with, one span further at each hop', async () => {
      const [bus, service] = [await connectTestBus(), newService()];
      const seen: (string | undefined)[] = [];
      await bus.serveRequests(service, {
        Outer: async (_: unknown, context: RequestContext) => {
          seen.push(context.traceparent);
          return bus.request(service, 'Inner', {}, context);
        },
        Inner: async (_: unknown, context: RequestContext) => void seen.push(context.traceparent),
      });
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      await bus.request(service, 'Outer', {}, testContext(60_000, { traceparent }));
      const spans = [traceparent, ...seen].map((header) => parseTraceparent(header));
      expect(new Set(spans.map((span) => span?.traceId)).size).toBe(1);
      expect(new Set(spans.map((span) => span?.spanId)).size).toBe(3);
    });

    it('brings back an AwsError as it was thrown', async () => {
      const [bus, service] = [await connectTestBus(), newService()];
      const error = new AwsError({ code: 'VolumeInUse', message: 'vol-1 is in use', status: 409, members: { Reason: 'x' } }); // prettier-ignore
      await bus.serveRequests(service, { Refuse: () => Promise.reject(error) });
      await expect(bus.request(service, 'Refuse', {}, testContext())).rejects.toStrictEqual(error);
    });

    it('tells the caller no cause of an internal error, only the request id, and the log both', async () => {
      const lines: object[] = [];
      const logger = { ...silentLogger, error: (line: object) => void lines.push(line) };
      const [bus, service] = [await connectTestBus(undefined, logger), newService()];
      const failure = new Error('secret detail');
      await bus.serveRequests(service, { Fail: () => Promise.reject(failure) });
      const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
      const context = testContext(60_000, { traceparent });
      const error = await bus.request(service, 'Fail', {}, context).catch((e: unknown) => e);
      expect(error).toStrictEqual(new InternalError(context.requestId, false));
      expect(JSON.stringify(error)).not.toContain('secret detail');
      const { requestId } = context;
      expect(lines).toMatchObject([{ err: failure, requestId, traceId: traceparent.slice(3, 35), work: 'Fail' }]);
    });

    it('is retryable after a version conflict that escaped', async () => {
      const [bus, service] = [await connectTestBus(), newService()];
      await bus.serveRequests(service, { Race: () => Promise.reject(new VersionConflict('volume-1', 3)) });
      await expect(bus.request(service, 'Race', {}, testContext())).rejects.toMatchObject({ retryable: true });
    });

    it('for an action nobody knows is refused by name', async () => {
      const [bus, service] = [await connectTestBus(), newService()];
      await bus.serveRequests(service, {});
      await expect(bus.request(service, 'toString', {}, testContext())).rejects.toMatchObject({
        code: 'InvalidAction',
      });
    });

    it('to a service that nobody serves is refused at once', async () => {
      const bus = await connectTestBus();
      const asked = Date.now();
      await expect(bus.request(newService(), 'Any', {}, testContext())).rejects.toBeInstanceOf(ServiceUnavailable);
      expect(Date.now() - asked).toBeLessThan(20_000); // And not at its deadline, in a minute.
    });

    it('without a context is refused', async () => {
      const [bus, service] = [await connectTestBus(), newService()];
      let ran = false;
      await bus.serveRequests(service, { Any: async () => void (ran = true) });
      const reply = await bus.connection.request(`${service}.request.Any.v1`, '{}');
      expect(reply.headers?.get('Holdfast-Reply')).toBe('internal');
      expect(ran).toBe(false);
    });

    it('larger than the broker takes is not sent', async () => {
      const [bus, service] = [await connectTestBus(), newService()];
      const tooLong = 'x'.repeat(bus.connection.info?.max_payload ?? NaN);
      await bus.serveRequests(service, { Any: async () => null, Big: async () => tooLong });
      const big = { text: tooLong };
      await expect(bus.request(service, 'Any', big, testContext())).rejects.toBeInstanceOf(PayloadTooLarge);
      await expect(bus.request(service, 'Big', {}, testContext())).rejects.toBeInstanceOf(InternalError);
    });
  });

  describe('a deadline', () => {
    it('that passes while the handler works ends the wait', async () => {
      const [bus, service, { opened, release }] = [await connectTestBus(), newService(), gate()];
      await bus.serveRequests(service, { Slow: () => opened });
      await expect(bus.request(service, 'Slow', {}, testContext(100))).rejects.toBeInstanceOf(RequestTimeout);
      release();
    });

    it('that has passed before the request is sent refuses it', async () => {
      const bus = await connectTestBus();
      await expect(bus.request(newService(), 'Any', {}, testContext(0))).rejects.toBeInstanceOf(RequestTimeout);
    });

    it('that passes in the queue keeps the work from starting', async () => {
      const [bus, service, { opened, release }] = [await connectTestBus(), newService(), gate()];
      const started: string[] = [];
      const handlers = {
        Work: async ({ name }: { name: string }) => {
          started.push(name);
          await opened;
        },
      };
      await bus.serveRequests(service, handlers, { concurrency: 1 });
      const first = bus.request(service, 'Work', { name: 'first' }, testContext());
      const second = bus.request(service, 'Work', { name: 'second' }, testContext(100));
      await expect(second).rejects.toBeInstanceOf(RequestTimeout);
      release();
      await first;
      expect(started).toEqual(['first']);
    });
  });

  describe('a request server', () => {
    it('with too much to do refuses more', async () => {
      const [bus, service, { opened, release }] = [await connectTestBus(), newService(), gate()];
      await bus.serveRequests(service, { Work: () => opened }, { concurrency: 1, queueLimit: 1 });
      const taken = [1, 2].map(() => bus.request(service, 'Work', {}, testContext()));
      await expect(bus.request(service, 'Work', {}, testContext())).rejects.toBeInstanceOf(ServiceUnavailable);
      release();
      await Promise.all(taken);
    });

    it('takes no more bytes to wait than it may hold', async () => {
      const [bus, service, { opened, release }] = [await connectTestBus(), newService(), gate()];
      await bus.serveRequests(service, { Work: () => opened }, { concurrency: 1, queueLimitBytes: 1000 });
      const ask = (length: number) => bus.request(service, 'Work', 'x'.repeat(length), testContext());
      const taken = [ask(10), ask(900)];
      await expect(ask(900)).rejects.toBeInstanceOf(ServiceUnavailable);
      taken.push(ask(10));
      release();
      await Promise.all(taken);
    });

    it('says that it serves while it does', async () => {
      const [server, client, service] = [await connectTestBus(), await connectTestBus(), newService()];
      expect(await client.isServing(service)).toBe(false);
      await server.serveRequests(service, {});
      expect(await client.isServing(service)).toBe(true);
      await server.close();
      expect(await client.isServing(service)).toBe(false);
    });

    it('shares requests with its replicas, and the rest goes on when one dies mid-request', async () => {
      const [first, second, client] = [await connectTestBus(), await connectTestBus(), await connectTestBus()];
      const [service, { opened, release }] = [newService(), gate()];
      const served = { first: 0, second: 0 };
      await first.serveRequests(service, { Work: async () => void served.first++, Hang: () => opened });
      await second.serveRequests(service, { Work: async () => void served.second++, Hang: () => opened });
      await Promise.all(Array.from({ length: 60 }, () => client.request(service, 'Work', {}, testContext())));
      expect(served.first).toBeGreaterThan(0);
      expect(served.second).toBeGreaterThan(0);
      expect(served.first + served.second).toBe(60);

      const hanging = client.request(service, 'Hang', {}, testContext(300)).catch((e: unknown) => e);
      await first.connection.close();
      // Until the server has seen that the connection is closed, it may still hand a request to it.
      const tried = () => client.request(service, 'Work', {}, testContext(200)).then(() => true, () => false); // prettier-ignore
      await eventually(async () => (await Promise.all(Array.from({ length: 20 }, tried))).every(Boolean)).toBe(true);
      const before = { ...served };
      await Promise.all(Array.from({ length: 20 }, () => client.request(service, 'Work', {}, testContext())));
      expect(served).toEqual({ first: before.first, second: before.second + 20 });
      expect(await hanging).toBeInstanceOf(RequestTimeout);
      release();
    });

    it('finishes what it has when it closes, and takes no more', async () => {
      const [server, client, service] = [await connectTestBus(), await connectTestBus(), newService()];
      const { opened, release } = gate();
      const started = gate();
      await server.serveRequests(service, {
        Work: async () => {
          started.release();
          await opened;
          return 'done';
        },
      });
      const reply = client.request(service, 'Work', {}, testContext());
      await started.opened;
      const closed = server.close();
      await client.connection.flush();
      await eventually(() => client.request(service, 'Work', {}, testContext(200)).catch((e: unknown) => e)).toBeInstanceOf(ServiceUnavailable); // prettier-ignore
      release();
      expect(await reply).toBe('done');
      await closed;
    });

    it('counts requests by action and code, unknown actions as one', async () => {
      const metrics = new Registry();
      const [bus, service] = [await connectTestBus(metrics), newService()];
      await bus.serveRequests(service, { Work: async () => null });
      await bus.request(service, 'Work', {}, testContext());
      await bus.request(service, 'Nonsense', {}, testContext()).catch(() => undefined);
      const text = await metrics.getSingleMetricAsString('holdfast_requests_total');
      expect(text).toContain(`{service="${service}",action="Work",code="ok"} 1`);
      expect(text).toContain(`{service="${service}",action="unknown",code="InvalidAction"} 1`);
    });
  });
});
