import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { freePort, type RunningNats, type RunningPostgres, startNats, startPostgres } from '@holdfast/embedded';
import { createTestDatabase } from '@holdfast/embedded/testing';
import { PostgresEventStore } from '../postgres/index.ts';
import { newTestDatabase } from '../testing/databases.ts';
import { openTestDatabase } from '../testing/effects.ts';
import { eventually, readAll } from '../testing/event-store-suite.ts';
import { appendOptions, counted } from '../testing/fixtures.ts';
import { connectForEver, readStreamOf } from '../testing/nats.ts';
import type { StoredEvent } from '../types.ts';
import { type RebuildReason, Relay } from './relay.ts';

// Servers of this file's own: they are killed here.
describe('the relay survives', { timeout: 300_000 }, () => {
  let folder: string;
  beforeAll(async () => void (folder = await mkdtemp(join(tmpdir(), 'holdfast-outage-'))));
  afterAll(() => rm(folder, { recursive: true, force: true }));

  /** Appends without pause until `stop`, and keeps what was acknowledged. */
  const appendAll = (store: PostgresEventStore) => {
    const acknowledged: string[] = [];
    const failures: unknown[] = [];
    let stopped = false;
    const write = async () => {
      while (!stopped) {
        const streamId = randomUUID();
        for (let version = 0; version < 5 && !stopped; version++) {
          try {
            const [event] = await store.append(streamId, version, [counted(version)], appendOptions);
            acknowledged.push(event!.eventId);
          } catch (error) {
            failures.push(error);
            await new Promise((resolve) => setTimeout(resolve, 20));
            break; // Whether it was committed is unknown, so the stream is left alone.
          }
        }
      }
    };
    const writing = Promise.all([write(), write(), write(), write()]);
    return { acknowledged, failures, stop: () => ((stopped = true), writing) };
  };

  const inOrder = (events: readonly StoredEvent[]) => [...new Set(events.map(({ eventId }) => eventId))];

  it('a Postgres that is killed and restarted while events are appended', async () => {
    const options = {
      dataDir: await mkdtemp(join(folder, 'postgres-')),
      port: await freePort(),
      password: 'outage',
      durable: true,
    };
    let postgres: RunningPostgres = await startPostgres(options);
    const urls = await createTestDatabase(postgres.url);
    const database = await openTestDatabase(urls);
    const service = `outage-${randomUUID().slice(0, 8)}`;
    const store = new PostgresEventStore({ database, service });
    const nats = await connectForEver({ servers: inject('natsUrl'), user: inject('natsUser'), pass: inject('natsPassword') }); // prettier-ignore
    const relay = new Relay({ store, connection: nats });
    const writers = appendAll(store);
    try {
      for (let restart = 0; restart < 2; restart++) {
        const before = writers.acknowledged.length;
        await eventually(() => writers.acknowledged.length > before + 50);
        process.kill(postgres.pid, 'SIGKILL');
        await postgres.exited;
        postgres = await startPostgres(options);
      }
      const before = writers.acknowledged.length;
      await eventually(() => writers.acknowledged.length > before + 50);
      await writers.stop();
      expect(writers.failures.length).toBeGreaterThan(0);
      await eventually(async () => relay.isLeader && (await relay.behind()) === 0);
      const log = await readAll(store);
      expect(inOrder(log)).toEqual(expect.arrayContaining(writers.acknowledged));
      expect(inOrder(await readStreamOf(service, nats))).toEqual(inOrder(log));
    } finally {
      await writers.stop();
      await relay.close();
      await store.close();
      await database.close();
      await nats.close();
      await postgres.stop();
    }
  });

  it('a nats-server that is killed, once with its storage kept and once with it deleted', async () => {
    const storeDir = await mkdtemp(join(folder, 'nats-'));
    const options = { storeDir, port: await freePort(), user: 'outage', password: 'outage' };
    let server: RunningNats = await startNats(options);
    const { urls, database } = await newTestDatabase();
    const service = 'outage';
    const store = new PostgresEventStore({ database, service });
    const nats = await connectForEver({ servers: server.servers, user: options.user, pass: options.password });
    const rebuilt: RebuildReason[] = [];
    const relay = new Relay({ store, connection: nats, observer: { rebuilding: (reason) => rebuilt.push(reason) } });
    const caughtUp = () => eventually(async () => relay.isLeader && (await relay.behind()) === 0);
    const writers = appendAll(store);
    try {
      for (const storage of ['kept', 'deleted']) {
        const before = writers.acknowledged.length;
        await eventually(() => writers.acknowledged.length > before + 100);
        // Only a stream that was noted to be longer can be seen to be lost.
        await eventually(async () => {
          const { length } = writers.acknowledged;
          return (await relay.behind()) < length;
        });
        process.kill(server.pid, 'SIGKILL');
        await server.exited;
        if (storage === 'deleted') await rm(join(storeDir, 'jetstream'), { recursive: true });
        server = await startNats(options);
      }
      await writers.stop();
      expect(writers.failures).toEqual([]); // Nobody who appends notices that the bus is away.
      await caughtUp();
      const log = inOrder(await readAll(store));
      expect(log).toEqual(expect.arrayContaining(writers.acknowledged));
      expect(inOrder(await readStreamOf(service, nats))).toEqual(log);
      expect([...new Set(rebuilt)]).toEqual(['stream-lost']); // Once more for each try that the new server did not take.

      // And again while nothing is appended: no publication fails that could tell.
      rebuilt.length = 0;
      process.kill(server.pid, 'SIGKILL');
      await server.exited;
      await rm(join(storeDir, 'jetstream'), { recursive: true });
      server = await startNats(options);
      await eventually(() => rebuilt.length > 0);
      await eventually(async () => (await readStreamOf(service, nats).catch(() => [])).length === log.length);
      expect(inOrder(await readStreamOf(service, nats))).toEqual(log);
    } finally {
      await writers.stop();
      await relay.close();
      await store.close();
      await database.close();
      await urls.drop();
      await nats.close();
      await server.stop();
    }
  });
});
