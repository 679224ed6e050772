import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readAll } from '../testing/event-store-suite.ts';
import { histories, outcomeOf } from '../testing/histories.ts';
import type { DomainEvent } from '../types.ts';
import { MemoryEventStore } from './memory-event-store.ts';

describe('any history', () => {
  it('is what a list per stream and a set of tokens say it is', async () => {
    const property = fc.asyncProperty(histories, fc.integer({ min: 1, max: 9 }), async (steps, pageSize) => {
      const store = new MemoryEventStore({ service: 'spec' });
      const streams = new Map<string, DomainEvent[]>();
      const tokens = new Map<number, number>();
      const log: DomainEvent[] = [];
      for (const step of steps) {
        const streamId = `s-${String(step.stream)}`;
        const events = streams.get(streamId) ?? [];
        const version = Math.max(events.length + step.offset, 0);
        const used = step.token === null ? undefined : tokens.get(step.token);
        const expected =
          version !== events.length
            ? 'VersionConflict'
            : used !== undefined
              ? ['ClientTokenUsed', used]
              : step.events.map((event, index) => [version + index + 1, event.type, 1, event]);
        expect(await outcomeOf(store, 's', step, version)).toEqual(expected);
        if (version !== events.length || used !== undefined) continue;
        streams.set(streamId, [...events, ...step.events]);
        log.push(...step.events);
        if (step.token !== null) tokens.set(step.token, step.stream);
      }
      for (const [streamId, events] of streams) {
        const read = await store.readStream(streamId);
        expect(read.map(({ data }) => data)).toEqual(events);
        expect(read.map(({ version }) => version)).toEqual(events.map((_, index) => index + 1));
      }
      expect((await readAll(store, pageSize)).map(({ data }) => data)).toEqual(log);
    });
    await fc.assert(property, { numRuns: 300 });
  });
});
