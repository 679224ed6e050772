import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { MemoryEventStore } from '../memory/index.ts';
import { appendOptions, counted } from '../testing/fixtures.ts';
import { connectForEver, readStreamOf } from '../testing/nats.ts';
import type { StoredEvent } from '../types.ts';
import { eventMessage } from './event-message.ts';
import { EventStream, TakenForDuplicates } from './event-stream.ts';

describe('an event stream', () => {
  let nats: NatsConnection;
  let service: string;
  let stream: EventStream;
  let events: StoredEvent[];
  const manager = () => jetstream(nats).jetstreamManager(false);
  const messages = (some: readonly StoredEvent[]) =>
    some.map((event) => {
      const { data, metadata } = event;
      const unread = { data: JSON.stringify(data), metadata: JSON.stringify(metadata), traceparent: undefined };
      return eventMessage(service, { ...event, ...unread });
    });
  const versions = async () => (await readStreamOf(service, nats)).map(({ version }) => version);

  beforeEach(async () => {
    nats = await connectForEver({ servers: inject('natsUrl'), user: inject('natsUser'), pass: inject('natsPassword') });
    service = `stream-${randomUUID().slice(0, 8)}`;
    stream = new EventStream(service, nats);
    const store = new MemoryEventStore({ service });
    events = await store.append('s', 0, Array.from({ length: 300 }, (_, n) => counted(n)), appendOptions); // prettier-ignore
  });
  afterEach(async () => {
    await (await manager()).streams.delete(`EVENTS-${service}`).catch(() => undefined);
    await nats.close();
  });

  it('is made as contracts say, and says where it ends', async () => {
    expect(await stream.open()).toEqual({ lastSequence: 0 });
    expect(await stream.publish(messages(events), 0)).toBe(300);
    const { eventId, streamId, version } = events[299]!;
    expect(await stream.open()).toEqual({ lastSequence: 300, lastEvent: { eventId, streamId, version } });
    expect(await versions()).toEqual(events.map((event) => event.version));
    const { config } = await (await manager()).streams.info(`EVENTS-${service}`);
    expect(config).toMatchObject({
      subjects: [`${service}.event.>`],
      storage: 'file',
      retention: 'limits',
      duplicate_window: 120_000_000_000,
      max_age: 0,
    });
  });

  it('changes the limits it is given and leaves those an operator set', async () => {
    await stream.open();
    const { streams } = await manager();
    const { config } = await streams.info(`EVENTS-${service}`);
    await streams.update(`EVENTS-${service}`, { ...config, max_bytes: 1_000_000 });
    await new EventStream(service, nats, { maxAgeMs: 600_000 }).open();
    const changed = await streams.info(`EVENTS-${service}`);
    expect(changed.config).toMatchObject({ max_bytes: 1_000_000, max_age: 600_000_000_000 });
  });

  it('takes nothing from a leader that was replaced', async () => {
    await stream.open();
    await stream.publish(messages(events.slice(0, 10)), 0);
    // It still believes that the stream ends at 5, and that its own next event has not been published.
    const replaced = stream.publish(messages(events.slice(100, 200)), 5);
    await expect(replaced).rejects.toThrow(/wrong last sequence/);
    await expect(stream.publish(messages(events.slice(200)), 11)).rejects.toThrow(/wrong last sequence/);
    expect(await versions()).toEqual(events.slice(0, 10).map(({ version }) => version));
  });

  it('tells events that the server remembers from others, and takes them under new message ids', async () => {
    await stream.open();
    await stream.publish(messages(events.slice(0, 3)), 0);
    // Of the first try only the last event is acknowledged, which cannot say why those before it are missing.
    await expect(stream.publish(messages(events.slice(0, 6)), 3)).rejects.toThrow(/wrong last sequence/);
    await expect(stream.publish(messages(events.slice(0, 6)), 3)).rejects.toThrow(TakenForDuplicates);
    expect(await versions()).toEqual([1, 2, 3]);
    expect(await stream.publish(messages(events.slice(0, 3)), 3, '/again')).toBe(6);
    expect(await versions()).toEqual([1, 2, 3, 1, 2, 3]);
  });

  it('stores nothing behind an event that did not arrive', async () => {
    await stream.open();
    const [first, , ...others] = messages(events.slice(0, 100));
    const { eventId } = events[1]!;
    const lost = { ...first!, eventId, subject: `elsewhere-${service}.event.Counted.v1` };
    await expect(stream.publish([first!, lost, ...others], 0)).rejects.toThrow(/wrong last/);
    expect(await versions()).toEqual([1]);
    expect(await stream.open()).toMatchObject({ lastSequence: 1, lastEvent: { version: 1 } });
    expect(await stream.publish(messages(events.slice(1, 100)), 1)).toBe(100);
  });

  it('goes on with its sequence when it was emptied', async () => {
    await stream.open();
    await stream.publish(messages(events.slice(0, 3)), 0);
    await stream.purge();
    expect(await stream.open()).toEqual({ lastSequence: 3 });
    expect(await stream.publish(messages(events.slice(3, 5)), 3)).toBe(5);
  });

  it('names what is not an event of ours', async () => {
    await stream.open();
    await jetstream(nats).publish(`${service}.event.Foreign.v1`, 'not JSON');
    expect(await stream.open()).toEqual({ lastSequence: 1, lastEvent: null });
  });
});
