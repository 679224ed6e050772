import { randomUUID } from 'node:crypto';
import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import type { TestDatabase } from '@holdfast/embedded/testing';
import { type Database, PostgresEventStore } from '../postgres/index.ts';
import { subscribe } from '../subscription.ts';
import { buildChild, type Child, type ChildTask, startChild } from '../testing/children.ts';
import { newTestDatabase } from '../testing/databases.ts';
import { NOTE_EFFECT } from '../testing/effects.ts';
import { eventually, readAll } from '../testing/event-store-suite.ts';
import { appendOptions, counted } from '../testing/fixtures.ts';
import { connectForEver, readStreamOf } from '../testing/nats.ts';
import { Relay } from './relay.ts';

describe('a process that is killed', () => {
  let child: Awaited<ReturnType<typeof buildChild>>;
  let urls: TestDatabase;
  let database: Database;
  let store: PostgresEventStore;
  let nats: NatsConnection;
  let service: string;
  const access = () => ({ servers: inject('natsUrl'), user: inject('natsUser'), pass: inject('natsPassword') });
  const started: Child[] = [];
  const start = (task: ChildTask['task']): Child => {
    const one = startChild(child.file, { task, urls, nats: access(), service });
    started.push(one);
    return one;
  };

  beforeAll(async () => void (child = await buildChild()));
  afterAll(() => child.remove());
  beforeEach(async () => {
    ({ urls, database } = await newTestDatabase());
    service = `crash-${randomUUID().slice(0, 8)}`;
    store = new PostgresEventStore({ database, service });
    nats = await connectForEver(access());
  });
  afterEach(async () => {
    for (const one of started) one.kill(); // Of a test that failed; others have killed theirs.
    await Promise.all(started.splice(0).map(({ exited }) => exited));
    await store.close();
    await database.close();
    await urls.drop();
    const manager = await jetstream(nats).jetstreamManager(false);
    await manager.streams.delete(`EVENTS-${service}`).catch(() => undefined);
    await nats.close();
  });

  const relayed = async (): Promise<string[]> => {
    const relay = new Relay({ store, connection: nats });
    const count = (await readAll(store)).length;
    await eventually(async () => relay.isLeader && (await relay.behind()) === 0);
    await relay.close();
    const published = await readStreamOf(service, nats);
    expect(published.length).toBeGreaterThanOrEqual(count);
    return published.map(({ eventId }) => eventId);
  };

  it('between commit and publish: the next one publishes what it committed', async () => {
    const killed = start('append-and-die');
    expect(await killed.exited).toBe('SIGKILL');
    expect(killed.lines).toHaveLength(1);
    expect(await relayed()).toEqual(killed.lines);
  });

  it('at any moment while it appends and publishes: nothing is lost, and order holds', async () => {
    const acknowledged: string[] = [];
    for (let round = 0; round < 4; round++) {
      const killed = start('append-and-relay');
      const enough = 20 + Math.floor(Math.random() * 150);
      await eventually(() => killed.lines.length >= enough);
      killed.kill();
      expect(await killed.exited).toBe('SIGKILL');
      acknowledged.push(...killed.lines);
    }
    const log = (await readAll(store)).map(({ eventId }) => eventId);
    expect(log).toEqual(expect.arrayContaining(acknowledged));
    // Each event's first appearance: repetitions are allowed, gaps and swaps are not.
    expect([...new Set(await relayed())]).toEqual(log);
  });

  it('between handling and acknowledging: the repetition changes nothing', async () => {
    const relay = new Relay({ store, connection: nats });
    const [event] = await store.append(randomUUID(), 0, [counted(1)], appendOptions);
    await eventually(async () => relay.isLeader && (await relay.behind()) === 0);
    await relay.close();
    const [first, second] = [start('handle-and-die'), start('handle-and-die')];
    expect(await Promise.all([first.exited, second.exited])).toEqual(['SIGKILL', 'SIGKILL']);
    expect([...first.lines, ...second.lines].sort()).toEqual([`${event!.eventId} false`, `${event!.eventId} true`]);
    expect(await database.query('SELECT times FROM effects')).toEqual([{ times: 1 }]);
  });

  it('while its subscription handles a batch: each event takes effect exactly once', async () => {
    const streamId = randomUUID();
    for (let version = 0; version < 120; version += 10) {
      await store.append(
        streamId,
        version,
        Array.from({ length: 10 }, (_, n) => counted(n)),
        appendOptions,
      );
    }
    for (let round = 0; round < 3; round++) {
      const killed = start('subscribe');
      const enough = 3 + Math.floor(Math.random() * 25);
      await eventually(() => killed.lines.length >= enough);
      killed.kill();
      await killed.exited;
    }
    const stop = new AbortController();
    const handler = async ({ eventId }: { eventId: string }, sql: Pick<Database, 'query'>) =>
      void (await sql.query(NOTE_EFFECT, [eventId]));
    const done = subscribe({ store, checkpointName: 'effects', handler, signal: stop.signal });
    const counts = () => database.query('SELECT count(*)::integer AS events, max(times) AS times FROM effects');
    await eventually(async () => (await counts())[0]?.events === 120);
    stop.abort();
    await done;
    expect(await counts()).toEqual([{ events: 120, times: 1 }]);
  });
});
