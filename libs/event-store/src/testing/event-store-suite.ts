import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { VersionConflict } from '@holdfast/decider';
import { ClientTokenUsed } from '../errors.ts';
import { MAX_EVENT_BYTES } from '../new-events.ts';
import { subscribe } from '../subscription.ts';
import type { Checkpoint, DomainEvent, InlineProjection, StoredEvent, SubscribableStore } from '../types.ts';
import type { Upcaster } from '../upcasters.ts';
import { appendOptions, counted, type CounterEvent } from './fixtures.ts';
import { describeManyStreams } from './many-streams-suite.ts';
import { newStreamId, type StoreUnderTest } from './store-under-test.ts';

/**
 * The log from `from` to where it ends, in pages of `limit`. Transactions of other suites, whose databases are on the same
 * server, may hold its end back for a moment.
 */
export const readToEnd = async (store: SubscribableStore, from: Checkpoint | null = null, limit = 500) => {
  const events: StoredEvent[] = [];
  for (let checkpoint = from; ;) {
    const page = await store.readLog(checkpoint, limit);
    if (page.events.length === 0 && !page.heldBack) return { events, checkpoint };
    if (page.heldBack) await new Promise((resolve) => setTimeout(resolve, 5));
    events.push(...page.events);
    checkpoint = page.checkpoint;
  }
};

/** The whole log in pages of `limit`. */
export const readAll = async (store: SubscribableStore, limit = 500): Promise<StoredEvent[]> =>
  (await readToEnd(store, null, limit)).events;

/** Polls `condition`; fails the test when it does not come true. */
export const eventually = async (condition: () => Promise<boolean> | boolean, timeoutMs = 60_000): Promise<void> => {
  for (const giveUpAt = Date.now() + timeoutMs; !(await condition());) {
    if (Date.now() > giveUpAt) throw new Error(`did not happen within ${String(timeoutMs)} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

/** What every event store promises; run on the real one and on its twin. */
export const describeEventStore = (name: string, start: () => Promise<StoreUnderTest>): void => {
  describe(name, () => {
    let under: StoreUnderTest;
    let store: SubscribableStore;
    beforeAll(async () => {
      under = await start();
      store = under.open({});
    });
    afterAll(() => under.close());

    describe('streams', () => {
      it('come back as they were written', async () => {
        const streamId = newStreamId();
        const events = [counted(1), counted(2, 'ünïcödé "quoted" \\u0041 \\ \n 💾'), { type: 'Cleared' as const }];
        const appended = await store.append(streamId, 0, events, appendOptions);
        const read = await store.readStream<CounterEvent>(streamId);
        expect(read).toEqual(appended);
        expect(read.map(({ data }) => data)).toEqual(events);
        expect(read.map(({ version }) => version)).toEqual([1, 2, 3]);
        expect(read[0]).toMatchObject({ streamId, type: 'Counted', schemaVersion: 1, ...appendOptions });
        expect(new Set(read.map(({ eventId }) => eventId)).size).toBe(3);
        expect(read[1]!.globalPosition).toBeGreaterThan(read[0]!.globalPosition);
      });

      it('are empty when they do not exist', async () => {
        expect(await store.readStream(newStreamId())).toEqual([]);
      });

      it('are read from a version on', async () => {
        const streamId = newStreamId();
        await store.append(streamId, 0, [counted(1), counted(2)], appendOptions);
        await store.append(streamId, 2, [counted(3)], appendOptions);
        const read = await store.readStream<CounterEvent>(streamId, 2);
        expect(read.map(({ version, data }) => [version, data])).toEqual([[2, counted(2)], [3, counted(3)]]); // prettier-ignore
      });

      it('are read several at a time, absent ones as empty', async () => {
        const [a, b, absent] = [newStreamId(), newStreamId(), newStreamId()];
        await store.append(a, 0, [counted(1)], appendOptions);
        await store.append(b, 0, [counted(2), counted(3)], appendOptions);
        const streams = await store.readStreams<CounterEvent>([a, absent, b, a]);
        expect([...streams].map(([id, events]) => [id, events.map(({ data }) => data)])).toEqual([
          [a, [counted(1)]],
          [absent, []],
          [b, [counted(2), counted(3)]],
        ]);
        expect(await store.readStreams([])).toEqual(new Map());
      });
    });

    describe('an append', () => {
      it.each([0, 1, 3, 100])('to a stream at version 2 conflicts when it expects %i', async (expected) => {
        const streamId = newStreamId();
        await store.append(streamId, 0, [counted(1), counted(2)], appendOptions);
        for (const events of [[counted(3)], [counted(3), counted(4), counted(5)]]) {
          const append = store.append(streamId, expected, events, appendOptions);
          await expect(append).rejects.toThrow(VersionConflict);
          await expect(append).rejects.toMatchObject({ streamId, expectedVersion: expected });
        }
        expect(await store.readStream(streamId)).toHaveLength(2);
      });

      it('to a stream that does not exist conflicts when it expects a version', async () => {
        await expect(store.append(newStreamId(), 1, [counted(1)], appendOptions)).rejects.toThrow(VersionConflict);
      });

      it('of many events keeps their order', async () => {
        const streamId = newStreamId();
        const events = Array.from({ length: 300 }, (_, n) => counted(n));
        await store.append(streamId, 0, events, appendOptions);
        const read = await store.readStream<CounterEvent>(streamId);
        expect(read.map(({ data }) => data)).toEqual(events);
        const positions = read.map(({ globalPosition }) => globalPosition);
        expect(positions).toEqual([...positions].sort((x, y) => x - y));
      });

      it.each([
        ['no events', 0, [], RangeError],
        ['a negative version', -1, [counted(1)], RangeError],
        ['a fractional version', 0.5, [counted(1)], RangeError],
        ['a NUL character', 0, [counted(1, 'a\0b')], TypeError],
        ['a lone surrogate', 0, [counted(1, '\\\ud83d')], TypeError],
        ['a type that is no subject token', 0, [{ type: 'Not.a.type' } as never], TypeError],
        ['an event too long for the bus', 0, [counted(1, 'x'.repeat(MAX_EVENT_BYTES))], RangeError],
      ])('with %s is refused', async (_, version, events, error) => {
        await expect(store.append(newStreamId(), version, events, appendOptions)).rejects.toThrow(error);
      });

      it('by many writers of one stream loses nothing and leaves no gap', async () => {
        const streamId = newStreamId();
        const stores = [store, under.open({}), under.open({})];
        let conflicts = 0;
        const write = async (writer: number) => {
          const own = stores[writer % stores.length]!;
          for (let n = 0; n < 10;) {
            const version = (await own.readStream(streamId)).at(-1)?.version ?? 0;
            try {
              await own.append(streamId, version, [counted(writer * 100 + n)], appendOptions);
              n++;
            } catch (error) {
              if (!(error instanceof VersionConflict)) throw error;
              conflicts++;
            }
          }
        };
        await Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)));
        const read = await store.readStream<{ type: 'Counted'; by: number }>(streamId);
        expect(read.map(({ version }) => version)).toEqual(Array.from({ length: 80 }, (_, n) => n + 1));
        expect(new Set(read.map(({ data }) => data.by)).size).toBe(80);
        expect(conflicts).toBeGreaterThan(0);
      });
    });

    describeManyStreams(() => under);

    describe('a client token', () => {
      const token = (result: unknown = 'vol-1') => ({ scope: `s-${randomUUID()}`, token: 't', parametersHash: 'h', result }); // prettier-ignore

      it.each([[[counted(1)]], [[counted(1), counted(2)]]])('is kept with its effect', async (events) => {
        const clientToken = token({ id: 'vol-1', size: [8] });
        expect(await store.findClientToken(clientToken.scope, 't')).toBeNull();
        const appended = await store.append(newStreamId(), 0, events, { ...appendOptions, clientToken });
        expect(appended).toHaveLength(events.length);
        expect(await store.findClientToken(clientToken.scope, 't')).toEqual(clientToken);
      });

      it('that was used stops a second effect and says what the first one was', async () => {
        const clientToken = token();
        const second = newStreamId();
        await store.append(newStreamId(), 0, [counted(1)], { ...appendOptions, clientToken });
        const repeated = { ...clientToken, parametersHash: 'other', result: 'vol-2' };
        const append = store.append(second, 0, [counted(1)], { ...appendOptions, clientToken: repeated });
        await expect(append).rejects.toThrow(ClientTokenUsed);
        await expect(append).rejects.toMatchObject({ stored: clientToken });
        expect(await store.readStream(second)).toEqual([]);
      });

      it('is not used up by an append that conflicts', async () => {
        const clientToken = token();
        const streamId = newStreamId();
        const options = { ...appendOptions, clientToken };
        await expect(store.append(streamId, 4, [counted(1)], options)).rejects.toThrow(VersionConflict);
        await store.append(streamId, 0, [counted(1)], appendOptions);
        await expect(store.append(streamId, 0, [counted(1)], options)).rejects.toThrow(VersionConflict);
        expect(await store.findClientToken(clientToken.scope, 't')).toBeNull();
        await store.append(streamId, 1, [counted(2)], options);
        expect(await store.findClientToken(clientToken.scope, 't')).toEqual(clientToken);
      });

      it('stands for one effect however many requests race', async () => {
        const clientToken = token();
        const streams = Array.from({ length: 10 }, newStreamId);
        const outcomes = await Promise.allSettled(
          streams.map((id) => store.append(id, 0, [counted(1)], { ...appendOptions, clientToken: { ...clientToken, result: id } })), // prettier-ignore
        );
        expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
        const written = [...(await store.readStreams(streams))].filter(([, events]) => events.length > 0);
        expect(written.map(([id]) => id)).toEqual([(await store.findClientToken(clientToken.scope, 't'))!.result]);
      });
    });

    describe('an inline projection', () => {
      const seen: StoredEvent[] = [];
      const recording = (failOn?: number): InlineProjection => ({
        name: 'recording',
        project: (event) => {
          seen.push(event);
          return (event.data as { by?: number }).by === failOn ? Promise.reject(new Error('no')) : Promise.resolve();
        },
      });

      it('sees each event of the append, in order, as it is stored', async () => {
        seen.length = 0;
        const streamId = newStreamId();
        await under.open({ projections: [recording()] }).append(streamId, 0, [counted(1), counted(2)], appendOptions);
        expect(seen).toEqual(await store.readStream(streamId));
      });

      it('that fails undoes the append and its client token', async () => {
        const streamId = newStreamId();
        const clientToken = { scope: streamId, token: 't', parametersHash: 'h', result: 1 };
        const failing = under.open({ projections: [recording(2)] });
        const append = failing.append(streamId, 0, [counted(1), counted(2)], { ...appendOptions, clientToken });
        await expect(append).rejects.toThrow('no');
        expect(await store.readStream(streamId)).toEqual([]);
        expect(await store.findClientToken(streamId, 't')).toBeNull();
        await store.append(streamId, 0, [counted(1)], { ...appendOptions, clientToken });
      });

      it('does not run for an append that conflicts', async () => {
        seen.length = 0;
        const append = under.open({ projections: [recording()] }).append(newStreamId(), 7, [counted(1)], appendOptions);
        await expect(append).rejects.toThrow(VersionConflict);
        expect(seen).toEqual([]);
      });
    });

    describe('the log', () => {
      it('holds every event once, in pages, each stream in its order', async () => {
        const streams = Array.from({ length: 10 }, newStreamId);
        await Promise.all(
          streams.map(async (id) => {
            for (let version = 0; version < 6; version += 2) {
              await store.append(id, version, [counted(version), counted(version + 1)], appendOptions);
            }
          }),
        );
        const log = await readAll(store, 7);
        expect(log.filter(({ streamId }) => streams.includes(streamId))).toHaveLength(60);
        expect(log).toEqual(await readAll(store, 500));
        for (const id of streams) {
          expect(log.filter(({ streamId }) => streamId === id)).toEqual(await store.readStream(id));
        }
      });

      it('goes on after a checkpoint and returns the same one at its end', async () => {
        await store.append(newStreamId(), 0, [counted(1)], appendOptions);
        const end = await readToEnd(store);
        const streamId = newStreamId();
        await store.append(streamId, 0, [counted(1)], appendOptions);
        await eventually(async () => (await store.readLog(end.checkpoint, 10)).events.length === 1);
        const next = await store.readLog(end.checkpoint, 10);
        expect(next.events.map((event) => event.streamId)).toEqual([streamId]);
        expect(await store.readLog(next.checkpoint, 10)).toEqual({
          events: [],
          checkpoint: next.checkpoint,
          heldBack: false,
        });
      });
    });

    describe('a subscription', () => {
      const follow = (own: SubscribableStore, checkpointName: string, handler: (event: StoredEvent) => void) => {
        const stop = new AbortController();
        const errors: unknown[] = [];
        const done = subscribe({
          store: own,
          checkpointName,
          batchSize: 3,
          signal: stop.signal,
          handler: (event) => Promise.resolve(handler(event)),
          onError: (error) => errors.push(error),
        });
        return { errors, end: () => (stop.abort(), done) };
      };

      it('catches up, follows, and goes on from its checkpoint', async () => {
        const own = under.open({});
        const name = `sub-${randomUUID()}`;
        const streamId = newStreamId();
        const seen: number[] = [];
        const note = ({ streamId: id, version }: StoredEvent) => void (id === streamId && seen.push(version));
        await own.append(streamId, 0, [counted(1), counted(2), counted(3), counted(4)], appendOptions);
        const first = follow(own, name, note);
        await eventually(() => seen.length === 4);
        await under.open({}).append(streamId, 4, [counted(5)], appendOptions);
        await eventually(() => seen.length === 5);
        await first.end();
        await own.append(streamId, 5, [counted(6)], appendOptions);
        const second = follow(own, name, note);
        await eventually(() => seen.length === 6);
        await second.end();
        expect(seen).toEqual([1, 2, 3, 4, 5, 6]);
      });

      it('handles a batch again that failed, and reports it', async () => {
        const name = `sub-${randomUUID()}`;
        const streamId = newStreamId();
        await store.append(streamId, 0, [counted(1)], appendOptions);
        const seen: number[] = [];
        const subscription = follow(store, name, (event) => {
          if (event.streamId !== streamId) return;
          seen.push(event.version);
          if (seen.length < 3) throw new Error('not yet');
        });
        await eventually(() => seen.length === 3);
        await subscription.end();
        expect(subscription.errors).toEqual([new Error('not yet'), new Error('not yet')]);
      });

      it('shares its checkpoint: of two that advance from the same place one is turned away', async () => {
        const name = `sub-${randomUUID()}`;
        const [one, two] = [1, 2].map((n) => ({ transactionId: String(n), globalPosition: n }));
        const ran: string[] = [];
        const advance = (from: Checkpoint | null, to: Checkpoint, who: string) =>
          store.advance(name, from, to, () => Promise.resolve(void ran.push(who)));
        expect(await Promise.all([advance(null, one!, 'a'), advance(null, one!, 'b')])).toContain(false);
        expect(await Promise.all([advance(one!, two!, 'c'), advance(one!, two!, 'd')])).toContain(false);
        expect(ran).toHaveLength(2);
        expect(await store.loadCheckpoint(name)).toEqual(two);
      });
    });

    describe('the inbox', () => {
      it('runs the work of one event once for each consumer', async () => {
        const eventId = randomUUID();
        let runs = 0;
        const work = () => Promise.resolve(void runs++);
        const outcomes = await Promise.all([1, 2, 3].map(() => under.inbox.once('a', eventId, work)));
        expect(outcomes.filter(Boolean)).toHaveLength(1);
        expect(await under.inbox.once('a', eventId, work)).toBe(false);
        expect(await under.inbox.once('b', eventId, work)).toBe(true);
        expect(runs).toBe(2);
      });

      it('lets work that failed run again', async () => {
        const eventId = randomUUID();
        await expect(under.inbox.once('a', eventId, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
        expect(await under.inbox.once('a', eventId, () => Promise.resolve())).toBe(true);
      });
    });

    // Last, since a program that is too old can't read the log past what a newer one wrote.
    describe('a newer program', () => {
      const upcasters: Upcaster[] = [
        { type: 'Renamed', from: 1, upcast: ({ label, ...rest }) => ({ ...rest, name: label }) },
        { type: 'Renamed', from: 2, upcast: (data) => ({ ...data, tags: [] }) },
      ];

      it('reads old versions upcast and writes the current one', async () => {
        const streamId = newStreamId();
        const old = { type: 'Renamed', label: 'a' } as DomainEvent;
        await store.append(streamId, 0, [old], appendOptions);
        const newer = under.open({ upcasters });
        await newer.append(streamId, 1, [{ type: 'Renamed', name: 'b', tags: ['x'] } as DomainEvent], appendOptions);
        const read = await newer.readStream(streamId);
        expect(read.map(({ data }) => data)).toEqual([
          { type: 'Renamed', name: 'a', tags: [] },
          { type: 'Renamed', name: 'b', tags: ['x'] },
        ]);
        expect(read.map(({ schemaVersion }) => schemaVersion)).toEqual([3, 3]);
        await expect(store.readStream(streamId)).rejects.toThrow('newer than this program');
      });
    });
  });
};
