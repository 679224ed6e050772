import { DomainError } from '@holdfast/decider';
import { jetstreamManager } from '@nats-io/jetstream';
import { Registry } from 'prom-client';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { type Bus, connectBus } from './bus.ts';
import { ServiceUnavailable } from './errors.ts';
import { eventually } from './testing/eventually.ts';
import { TestSource } from './testing/events.ts';
import type { ConsumerOptions, DeliveredEvent, ServiceName } from './types.ts';

const open: Bus[] = [];
const connectTestBus = async (metrics?: Registry): Promise<Bus> => {
  const nats = { servers: inject('natsUrl'), user: inject('natsUser'), password: inject('natsPassword') };
  const bus = await connectBus({ nats, name: 'test', metrics });
  open.push(bus);
  return bus;
};
let counter = 0;
const newService = () => `events-${String(process.pid)}-${String(counter++)}` as ServiceName;

let bus: Bus;
let source: TestSource;
let owner: ServiceName;
beforeEach(async () => {
  bus = await connectTestBus();
  source = new TestSource(bus, newService());
  await source.createStream();
  owner = newService();
});
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

type Handler = (event: DeliveredEvent) => Promise<{ retryAfterMs: number } | undefined>;
const consume = (handler: Handler, options: Partial<ConsumerOptions> = {}, on = bus) =>
  on.consume({
    name: 'test',
    owner,
    source: source.service as ServiceName,
    handlers: { Happened: handler },
    backoffMs: () => 20,
    ...options,
  });
const seenOf = (events: readonly DeliveredEvent[]) => events.map(({ eventId }) => eventId);

describe('a consumer', () => {
  it('gets each event and acknowledges it', async () => {
    const seen: DeliveredEvent[] = [];
    const first = consume(async (event) => {
      seen.push(event);
      return undefined;
    });
    const events = [await source.emit('s-1', 'Happened', { n: 1 }), await source.emit('s-2', 'Happened', { n: 2 })];
    await eventually(() => seen.length).toBe(2);
    expect(seen[0]).toEqual({ ...events[0], service: source.service, deliveryCount: 1 });
    await first.close();

    consume(async (event) => void seen.push(event) as undefined);
    const third = await source.emit('s-1', 'Happened');
    await eventually(() => seenOf(seen)).toEqual([...events.map(({ eventId }) => eventId), third.eventId]);
  });

  it('starts before its source has ever made a stream', async () => {
    source = new TestSource(bus, newService());
    const seen: DeliveredEvent[] = [];
    consume(async (event) => void seen.push(event) as undefined);
    await source.createStream();
    await source.emit('s-1', 'Happened');
    await eventually(() => seen.length).toBe(1);
  });

  it('passes over events it has no handler for', async () => {
    const seen: DeliveredEvent[] = [];
    consume(async (event) => void seen.push(event) as undefined);
    await source.emit('s-1', 'SomethingElse');
    await source.emit('s-1', 'toString');
    const { eventId } = await source.emit('s-1', 'Happened');
    await eventually(() => seenOf(seen)).toEqual([eventId]);
  });

  it('handles the events of a stream one after the other, in order, and streams side by side', async () => {
    const running = new Map<string, number>();
    const versions = new Map<string, number[]>();
    let [atOnce, most, overlapping] = [0, 0, 0];
    consume(
      async ({ streamId, version, deliveryCount }) => {
        running.set(streamId, (running.get(streamId) ?? 0) + 1);
        if ((running.get(streamId) ?? 0) > 1) overlapping++;
        most = Math.max(most, ++atOnce);
        await new Promise((resolve) => setTimeout(resolve, Math.random() * 10));
        // Every seventh fails once: the later ones of its stream must wait for it.
        const fails = version % 7 === 0 && deliveryCount === 1;
        if (!fails) versions.set(streamId, [...(versions.get(streamId) ?? []), version]);
        atOnce--;
        running.set(streamId, (running.get(streamId) ?? 1) - 1);
        if (fails) throw new Error('once');
        return undefined;
      },
      { concurrency: 4 },
    );
    const events = Array.from({ length: 120 }, (_, i) => source.event(`s-${String(i % 8)}`, 'Happened'));
    await source.publish(...events);
    await eventually(() => [...versions.values()].flat().length).toBe(120);
    expect(overlapping).toBe(0);
    expect(most).toBe(4);
    for (const seen of versions.values()) expect(seen).toEqual(Array.from({ length: 15 }, (_, i) => i + 1));
  });

  it('holds a stream back behind an event that fails, and only that stream', async () => {
    const done: string[] = [];
    let failing = true;
    consume(async ({ streamId, version }) => {
      if (streamId === 's-1' && failing) throw new Error('not yet');
      done.push(`${streamId}/${String(version)}`);
      return undefined;
    });
    await source.emit('s-1', 'Happened');
    await source.emit('s-1', 'Happened');
    await source.emit('s-2', 'Happened');
    await eventually(() => done).toEqual(['s-2/1']);
    failing = false;
    await eventually(() => done).toEqual(['s-2/1', 's-1/1', 's-1/2']);
  });

  it('counts deliveries, and asks for growing patience', async () => {
    const counts: number[] = [];
    const waits: number[] = [];
    const backoffMs = (failures: number) => {
      waits.push(failures);
      return 5;
    };
    consume(
      async ({ deliveryCount }) => {
        counts.push(deliveryCount);
        if (deliveryCount < 4) throw new Error('again');
        return undefined;
      },
      { backoffMs },
    );
    await source.emit('s-1', 'Happened');
    await eventually(() => counts).toEqual([1, 2, 3, 4]);
    expect(waits).toEqual([1, 2, 3]);
  });

  it('outlasts an outage without parking what it met', async () => {
    let [failures, done] = [0, 0];
    consume(
      async () => {
        if (++failures < 6) throw new ServiceUnavailable('kms', 'Decrypt', 'r-1', 'nobody serves it');
        if (failures < 10) throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
        done++;
        return undefined;
      },
      { maxAttempts: 2 },
    );
    await source.emit('s-1', 'Happened');
    await eventually(() => done).toBe(1);
    expect(await bus.parked.list({ owner })).toEqual([]);
  });

  it('sees an event again when it asked to, while its stream goes on', async () => {
    const seen: string[] = [];
    await source.emit('s-1', 'Happened');
    await source.emit('s-1', 'Happened');
    consume(
      async ({ version, deliveryCount }) => {
        seen.push(`${String(version)}#${String(deliveryCount)}`);
        return version === 1 && deliveryCount < 3 ? { retryAfterMs: 150 } : undefined;
      },
      { maxAttempts: 1 },
    );
    await eventually(() => seen).toEqual(['1#1', '2#1', '1#2', '1#3']);
    expect(await bus.parked.list({ owner })).toEqual([]);
  });

  it('keeps an event that takes longer than the wait for acknowledgement', async () => {
    let runs = 0;
    consume(
      async () => {
        runs++;
        await new Promise((resolve) => setTimeout(resolve, 4000));
        return undefined;
      },
      { ackWaitMs: 3000 }, // It is told every second that the event is still being handled; a machine may pause for two.
    );
    await source.emit('s-1', 'Happened');
    const jsm = await jetstreamManager(bus.connection);
    const consumer = () => jsm.consumers.info(`EVENTS-${source.service}`, `${owner}-test`);
    await eventually(async () => (await consumer()).ack_floor.stream_seq).toBe(1);
    expect((await consumer()).delivered.consumer_seq).toBe(1); // However often an event is delivered, each time counts.
    expect(runs).toBe(1);
  });

  it('hands an event over when its process dies between handling and acknowledging', async () => {
    const [doomed, heir] = [await connectTestBus(), await connectTestBus()];
    const seen: string[] = [];
    consume(
      async ({ eventId }) => {
        seen.push(`doomed ${eventId}`);
        await doomed.connection.close(); // Handled, and cut off before the acknowledgement.
        return undefined;
      },
      { ackWaitMs: 1000 },
      doomed,
    );
    const { eventId } = await source.emit('s-1', 'Happened');
    await eventually(() => seen).toEqual([`doomed ${eventId}`]);
    consume(async (event) => void seen.push(`heir ${event.eventId}`) as undefined, { ackWaitMs: 1000 }, heir);
    await eventually(() => seen).toEqual([`doomed ${eventId}`, `heir ${eventId}`]);
  });

  it('handles nothing while it is paused, and goes on afterwards', async () => {
    const seen: string[] = [];
    const consumer = consume(async (event) => void seen.push(event.eventId) as undefined);
    const before = await source.emit('s-1', 'Happened');
    await eventually(() => seen).toEqual([before.eventId]);
    await consumer.pause();
    const during = await source.emit('s-1', 'Happened');
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(seen).toEqual([before.eventId]);
    await consumer.resume();
    await eventually(() => seen).toEqual([before.eventId, during.eventId]);
  });

  it('goes on only after a pause that was cut short has ended', async () => {
    const done: string[] = [];
    let release = (): void => undefined;
    const opened = new Promise<void>((resolve) => (release = resolve));
    let deliveries = 0;
    const consumer = consume(async ({ streamId }) => {
      deliveries++;
      if (streamId === 's-slow') await opened;
      done.push(streamId);
      return undefined;
    });
    await source.emit('s-slow', 'Happened');
    await eventually(() => deliveries).toBe(1);
    const paused = consumer.pause();
    const resumed = consumer.resume();
    await source.emit('s-next', 'Happened');
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(done).toEqual([]);
    release();
    await Promise.all([paused, resumed]);
    await eventually(() => done).toEqual(['s-slow', 's-next']);
    expect(deliveries).toBe(2);
  });

  it('tells its lag and its outcomes', async () => {
    const metrics = new Registry();
    const own = await connectTestBus(metrics);
    const consumer = consume(async () => undefined, {}, own);
    await source.emit('s-1', 'Happened');
    const labels = `owner="${owner}",consumer="test"`;
    const text = async () => metrics.metrics();
    await eventually(text).toContain(`holdfast_event_deliveries_total{${labels},outcome="handled"} 1`);
    await eventually(text).toContain(`holdfast_consumer_lag_events{${labels}} 0`);
    await eventually(text).toContain(`holdfast_parked_events{${labels}} 0`);
    bus.connection.publish(`${source.service}.event.Happened.v1`, 'no event');
    await eventually(text).toContain(`holdfast_parked_events{${labels}} 1`);
    await consumer.pause();
    await source.emit('s-1', 'Happened');
    await eventually(text).toContain(`holdfast_consumer_lag_events{${labels}} 1`);
    await consumer.close();
  });
});

describe('an event that cannot be handled', () => {
  it('is parked after the last attempt, can be seen and retried, and does not hold its stream any longer', async () => {
    let broken = true;
    const done: string[] = [];
    const handler: Handler = async ({ eventId, version }) => {
      if (version === 1 && broken) throw new Error('the disk\nis full');
      done.push(eventId);
      return undefined;
    };
    consume(handler, { maxAttempts: 3 });
    const event = await source.emit('s-1', 'Happened', { n: 7 });
    const next = await source.emit('s-1', 'Happened');
    await eventually(() => done).toEqual([next.eventId]);
    const [parked, ...others] = await bus.parked.list({ owner });
    expect(others).toEqual([]);
    expect(parked).toMatchObject({
      owner,
      consumer: 'test',
      subject: `${source.service}.event.Happened.v1`,
      reason: 'Error: the disk is full',
      attempts: 3,
      event,
    });

    expect(await bus.parked.retry(parked!.id)).toContain('the disk');
    expect(await bus.parked.list({ owner })).toHaveLength(1);
    broken = false;
    expect(await bus.parked.retry(parked!.id)).toBeNull();
    expect(done).toEqual([next.eventId, event.eventId]);
    expect(await bus.parked.list({ owner })).toEqual([]);
    expect(await bus.parked.retry(parked!.id)).toBe('no such parked event');
  });

  it('stays parked while nobody runs its consumer', async () => {
    const consumer = consume(() => Promise.reject(new DomainError('VolumeNotFound')));
    await source.emit('s-1', 'Happened');
    await eventually(async () => (await bus.parked.list({ owner })).length).toBe(1);
    await consumer.close();
    const [parked] = await bus.parked.list({ owner });
    expect(await bus.parked.retry(parked!.id)).toBe(`${owner}/test does not run`);
    expect(await bus.parked.list({ owner })).toHaveLength(1);
    await bus.parked.discardAll(owner);
    expect(await bus.parked.list({ owner })).toEqual([]);
  });

  it('is parked at once when a rule refused it, and can be discarded', async () => {
    let runs = 0;
    consume(async () => {
      runs++;
      throw new DomainError('VolumeNotFound', { volumeId: 'vol-1' });
    });
    await source.emit('s-1', 'Happened');
    await eventually(async () => (await bus.parked.list({ owner })).length).toBe(1);
    expect(runs).toBe(1);
    const [parked] = await bus.parked.list({ owner });
    expect(parked?.reason).toBe('DomainError: VolumeNotFound');
    expect(await bus.parked.discard(parked!.id)).toBe(true);
    expect(await bus.parked.discard(parked!.id)).toBe(false);
    expect(await bus.parked.list({ owner })).toEqual([]);
  });

  it('is parked when it is no event', async () => {
    const seen: string[] = [];
    consume(async (event) => void seen.push(event.eventId) as undefined);
    bus.connection.publish(`${source.service}.event.Happened.v1`, '{"eventId":');
    const { eventId } = await source.emit('s-1', 'Happened');
    await eventually(() => seen).toEqual([eventId]);
    const [parked] = await bus.parked.list({ owner });
    expect(parked).toMatchObject({ event: null, attempts: 0 });
    expect(parked?.reason).toMatch(/^not an event/);
  });
});
