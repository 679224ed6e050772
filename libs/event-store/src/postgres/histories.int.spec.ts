import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TestDatabase } from '@holdfast/embedded/testing';
import { MemoryEventStore } from '../memory/index.ts';
import { newTestDatabase } from '../testing/databases.ts';
import { eventually } from '../testing/event-store-suite.ts';
import { histories, outcomeOf } from '../testing/histories.ts';
import type { EventStore, StoredEvent } from '../types.ts';
import type { Database } from './database.ts';
import { PostgresEventStore } from './postgres-event-store.ts';

const comparable = ({ streamId, version, type, schemaVersion, data, metadata, time }: StoredEvent) => [
  streamId,
  version,
  type,
  schemaVersion,
  data,
  metadata,
  time,
];

describe('any history', () => {
  let urls: TestDatabase;
  let database: Database;
  beforeAll(async () => void ({ urls, database } = await newTestDatabase()));
  afterAll(async () => {
    await database.close();
    await urls.drop();
  });

  it.each([
    ['alone', []],
    ['with an inline projection', [{ name: 'none', project: () => Promise.resolve() }]],
  ])('is the same in Postgres as in its twin, %s', async (_, projections) => {
    const store = new PostgresEventStore({ database, service: 'spec', projections });
    const property = fc.asyncProperty(histories, async (steps) => {
      const prefix = randomUUID();
      const twin = new MemoryEventStore({ service: 'spec' });
      const { checkpoint } = await store.readLog(null, 1_000_000);
      let appended = 0;
      for (const step of steps) {
        const at = async (own: EventStore) => (await own.readStream(`${prefix}-${String(step.stream)}`)).length;
        const version = Math.max((await at(twin)) + step.offset, 0);
        const outcome = await outcomeOf(twin, prefix, step, version);
        expect(await outcomeOf(store, prefix, step, version)).toEqual(outcome);
        appended += Array.isArray(outcome) && outcome[0] !== 'ClientTokenUsed' ? outcome.length : 0;
      }
      await eventually(async () => (await store.readLog(checkpoint, 1000)).events.length === appended);
      const [real, expected] = await Promise.all([store.readLog(checkpoint, 1000), twin.readLog(null, 1000)]);
      expect(real.events.map(comparable)).toEqual(expected.events.map(comparable));
    });
    await fc.assert(property, { numRuns: 40 });
    await store.close();
  });
});
