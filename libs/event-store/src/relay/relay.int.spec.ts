import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { createTestDatabase, type TestDatabase } from '@holdfast/embedded/testing';
import {
  type Database,
  eventStoreMigrations,
  openDatabase,
  PostgresEventStore,
  resetDatabase,
} from '../postgres/index.ts';
import { eventually, readToEnd } from '../testing/event-store-suite.ts';
import { appendOptions, counted } from '../testing/fixtures.ts';
import { connectForEver, readStreamOf } from '../testing/nats.ts';
import type { DomainEvent } from '../types.ts';
import { type RebuildReason, Relay } from './relay.ts';

const openedBy = (testDatabase: TestDatabase) =>
  openDatabase({
    url: testDatabase.serviceUrl,
    migrationUrl: testDatabase.ownerUrl,
    migrations: eventStoreMigrations,
    applicationName: 'relay-spec',
  });

describe('the relay', () => {
  let testDatabase: TestDatabase;
  let database: Database;
  let store: PostgresEventStore;
  let nats: NatsConnection;
  let service: string;
  let rebuilt: RebuildReason[];
  const relays: Relay[] = [];

  const startRelay = (): Relay => {
    const observer = {
      rebuilding: (reason: RebuildReason) => void rebuilt.push(reason),
      failed: () => undefined,
    };
    const relay = new Relay({ store, connection: nats, observer });
    relays.push(relay);
    return relay;
  };
  const append = async (count: number, streamId: string = randomUUID()) => {
    for (let version = 0; version < count; version++) {
      await store.append(streamId, version, [counted(version)], appendOptions);
    }
    return streamId;
  };
  const published = () => readStreamOf(service, nats);
  const untilPublished = (count: number) =>
    eventually(async () => {
      const manager = await jetstream(nats).jetstreamManager(false);
      const info = await manager.streams.info(`EVENTS-${service}`).catch(() => undefined);
      return info?.state.messages === count;
    });

  beforeEach(async () => {
    testDatabase = await createTestDatabase(inject('postgresAdminUrl'));
    database = await openedBy(testDatabase);
    service = `spec-${randomUUID().slice(0, 8)}`;
    store = new PostgresEventStore({ database, service });
    nats = await connectForEver({ servers: inject('natsUrl'), user: inject('natsUser'), pass: inject('natsPassword') });
    rebuilt = [];
  });
  afterEach(async () => {
    await Promise.all(relays.splice(0).map((relay) => relay.close()));
    await store.close();
    await database.close();
    await testDatabase.drop();
    const manager = await jetstream(nats).jetstreamManager(false);
    await manager.streams.delete(`EVENTS-${service}`).catch(() => undefined);
    await nats.close();
  });

  it('publishes what was there and what comes, in log order, as contracts say', async () => {
    const before = await append(3);
    startRelay();
    await untilPublished(3);
    const after = await append(3);
    await untilPublished(6);
    const messages = await published();
    expect(messages.map(({ streamId, version }) => [streamId, version])).toEqual(
      [before, before, before, after, after, after].map((id, index) => [id, (index % 3) + 1]),
    );
    const [first] = await store.readStream(before);
    expect(messages[0]).toEqual({
      ...first,
      service,
      subject: `${service}.event.Counted.v1`,
      sequence: 1,
      messageId: first!.eventId,
    });
  });

  it('publishes soon after the append, also when another process appended', async () => {
    startRelay();
    await append(1);
    await untilPublished(1);
    const other = new PostgresEventStore({ database: await openedBy(testDatabase), service });
    const latenciesMs: number[] = [];
    const subscription = nats.subscribe(`${service}.event.>`);
    const arrivals = subscription[Symbol.asyncIterator]();
    for (let n = 0; n < 5; n++) {
      await other.append(randomUUID(), 0, [counted(n)], appendOptions);
      const start = performance.now();
      await arrivals.next();
      latenciesMs.push(performance.now() - start);
    }
    subscription.unsubscribe();
    await other.close();
    await other.database.close();
    // By polling alone each but the first would take a second, since it is appended right after a look.
    expect(Math.min(...latenciesMs.slice(1))).toBeLessThan(700);
  });

  it('keeps order and loses nothing while many writers append', async () => {
    startRelay();
    const streams = await Promise.all(Array.from({ length: 8 }, () => append(40)));
    await untilPublished(320);
    const messages = await published();
    for (const streamId of streams) {
      const versions = messages.filter((message) => message.streamId === streamId).map(({ version }) => version);
      expect(versions).toEqual(Array.from({ length: 40 }, (_, n) => n + 1));
    }
    expect(new Set(messages.map(({ eventId }) => eventId)).size).toBe(320);
  });

  it('has one leader, and another one takes over when it goes', async () => {
    const [one, two] = [startRelay(), startRelay()];
    await eventually(() => one.isLeader || two.isLeader);
    await append(2);
    await untilPublished(2);
    expect([one.isLeader, two.isLeader].filter(Boolean)).toHaveLength(1);
    const [leader, follower] = one.isLeader ? [one, two] : [two, one];
    await expect(follower.republish({ from: null })).rejects.toThrow('another replica leads');
    await leader.close();
    await append(2);
    await untilPublished(4);
    expect(follower.isLeader).toBe(true);
    expect(leader.isLeader).toBe(false);
  });

  it('another one takes over when the leader loses its connection', async () => {
    const relay = startRelay();
    await eventually(() => relay.isLeader);
    const rival = startRelay();
    const [{ ended } = { ended: false }] = await database.query<{ ended: boolean }>(
      `SELECT pg_terminate_backend(pid) AS ended FROM pg_locks
       WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
    );
    expect(ended).toBe(true);
    await eventually(() => relay.isLeader !== rival.isLeader);
    await append(3);
    await untilPublished(3);
  });

  it('goes on where the stream ends, even when its own checkpoint is behind', async () => {
    await append(3);
    const relay = startRelay();
    await untilPublished(3);
    await relay.close();
    await database.query(`UPDATE relay_checkpoint SET transaction_id = '0', global_position = 0, stream_sequence = 0`);
    await append(2);
    startRelay();
    await untilPublished(5);
    const messages = await published();
    expect(new Set(messages.map(({ eventId }) => eventId)).size).toBe(5);
    expect(rebuilt).toEqual([]);
  });

  it('publishes everything again when the stream is gone', async () => {
    await append(3);
    const relay = startRelay();
    await untilPublished(3);
    await relay.close();
    const manager = await jetstream(nats).jetstreamManager(false);
    await manager.streams.delete(`EVENTS-${service}`);
    startRelay();
    await untilPublished(3);
    expect(rebuilt).toEqual(['stream-lost']);
  });

  it('publishes everything again when the stream vanishes while it works', async () => {
    await append(3);
    startRelay();
    await untilPublished(3);
    const manager = await jetstream(nats).jetstreamManager(false);
    await manager.streams.delete(`EVENTS-${service}`);
    await append(1);
    await untilPublished(4);
    expect((await published()).map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  });

  it('publishes the lost tail again when the stream is shorter than it was', async () => {
    await append(5);
    const relay = startRelay();
    await untilPublished(5);
    await relay.close();
    // A stream with only the first two, as after the loss of what was not yet on disk.
    const kept = (await published()).slice(0, 2);
    const manager = await jetstream(nats).jetstreamManager(false);
    await manager.streams.delete(`EVENTS-${service}`);
    await manager.streams.add({ name: `EVENTS-${service}`, subjects: [`${service}.event.>`] });
    for (const { subject, messageId, ...event } of kept) {
      await jetstream(nats).publish(subject, JSON.stringify(event), { msgID: messageId });
    }
    startRelay();
    await untilPublished(5);
    expect((await published()).map(({ version }) => version)).toEqual([1, 2, 3, 4, 5]);
  });

  it('replaces a stream that tells of events the table does not have', async () => {
    await append(3);
    const relay = startRelay();
    await untilPublished(3);
    await relay.close();
    await resetDatabase(testDatabase.ownerUrl, []);
    const streamId = await append(2);
    startRelay();
    await untilPublished(2);
    expect((await published()).map((event) => event.streamId)).toEqual([streamId, streamId]);
    expect(rebuilt).toEqual(['stream-of-another-log']);
  });

  it('republishes on demand, past the duplicate window that would swallow it', async () => {
    const streamId = await append(4);
    const relay = startRelay();
    await untilPublished(4);
    await relay.republish({ from: null });
    await untilPublished(8);
    const messages = await published();
    expect(messages.map(({ version }) => version)).toEqual([1, 2, 3, 4, 1, 2, 3, 4]);
    expect(new Set(messages.map(({ eventId }) => eventId)).size).toBe(4);
    await store.append(streamId, 4, [counted(4)], appendOptions);
    await untilPublished(9);
    expect((await published()).at(-1)).toMatchObject({ version: 5 });
  });

  it('counts how many events it is behind', async () => {
    const relay = startRelay();
    await eventually(() => relay.isLeader);
    await append(4);
    await untilPublished(4);
    await eventually(async () => (await relay.behind()) === 0);
    await relay.close();
    await append(3);
    expect(await relay.behind()).toBe(3);
    expect(await relay.behind(2)).toBe(2);
  });

  it('forgets everything in development, and goes on with what comes', async () => {
    const relay = startRelay();
    await append(5);
    await untilPublished(5);
    const start = performance.now();
    await relay.reset(() => resetDatabase(testDatabase.ownerUrl, []));
    expect(performance.now() - start).toBeLessThan(10_000); // It does not wait for the next look at the stream.
    await untilPublished(0);
    const streamId = await append(2);
    await untilPublished(2);
    expect((await published()).map((event) => [event.streamId, event.sequence])).toEqual([[streamId, 6], [streamId, 7]]); // prettier-ignore
    expect(await readToEnd(store)).toMatchObject({ events: [{ streamId }, { streamId }] });
  });

  it('publishes old events in the version that this program writes', async () => {
    await store.append('s', 0, [{ type: 'Renamed', label: 'a' } as DomainEvent], appendOptions);
    await store.close();
    const upcasters = [{ type: 'Renamed', from: 1, upcast: ({ label }: Record<string, unknown>) => ({ name: label }) }];
    store = new PostgresEventStore({ database, service, upcasters });
    startRelay();
    await untilPublished(1);
    const data = { type: 'Renamed', name: 'a' };
    expect(await published()).toMatchObject([{ subject: `${service}.event.Renamed.v2`, schemaVersion: 2, data }]);
  });
});
