import { beforeAll, describe, expect, it } from 'vitest';
import { VersionConflict } from '@holdfast/decider';
import type { StoredEvent, SubscribableStore } from '../types.ts';
import { appendOptions, counted, type CounterEvent } from './fixtures.ts';
import { newStreamId, type StoreUnderTest } from './store-under-test.ts';

/** What every event store promises of `appendMany`. */
export const describeManyStreams = (storeUnderTest: () => StoreUnderTest): void => {
  let under: StoreUnderTest;
  let store: SubscribableStore;
  beforeAll(() => {
    under = storeUnderTest();
    store = under.open({});
  });

  describe('an append to many streams', () => {
    const part = (streamId: string, expectedVersion: number, events: readonly CounterEvent[]) => ({
      streamId,
      expectedVersion,
      events,
      options: appendOptions,
    });

    it('is read back from each of them, and returned in its order', async () => {
      const streams = Array.from({ length: 20 }, newStreamId);
      await store.append(streams[0]!, 0, [counted(0)], appendOptions);
      const appended = await store.appendMany(
        streams.map((id, n) => part(id, n === 0 ? 1 : 0, [counted(n), counted(n + 100)])),
      );
      expect(appended.map((events) => events[0]!.streamId)).toEqual(streams);
      for (const [n, id] of streams.entries()) {
        const read = await store.readStream(id, n === 0 ? 2 : 1);
        expect(read).toEqual(appended[n]);
        expect(read.map(({ data }) => data)).toEqual([counted(n), counted(n + 100)]);
      }
      expect(await store.appendMany([])).toEqual([]);
    });

    it('happens to all of them or to none', async () => {
      const [fresh, ahead, behind] = [newStreamId(), newStreamId(), newStreamId()];
      await store.append(ahead, 0, [counted(1)], appendOptions);
      for (const [other, version] of [
        [ahead, 0],
        [behind, 1],
      ] as const) {
        const append = store.appendMany([part(fresh, 0, [counted(1)]), part(other, version, [counted(2)])]);
        await expect(append).rejects.toMatchObject({
          name: 'VersionConflict',
          streamId: other,
          expectedVersion: version,
        });
        expect(await store.readStream(fresh)).toEqual([]);
      }
      const bad = part(newStreamId(), 0, [counted(1, 'a\0b')]);
      await expect(store.appendMany([part(fresh, 0, [counted(1)]), bad])).rejects.toThrow(TypeError);
      await expect(store.appendMany([part(fresh, 0, [counted(1)]), part(fresh, 1, [counted(1)])])).rejects.toThrow(
        RangeError,
      );
      expect(await store.readStream(fresh)).toEqual([]);
    });

    it('is seen by projections, which may undo it', async () => {
      const seen: StoredEvent[] = [];
      const projections = [{ name: 'seeing', project: (event: StoredEvent) => Promise.resolve(void seen.push(event)) }];
      const [a, b] = [newStreamId(), newStreamId()].sort() as [string, string];
      await under.open({ projections }).appendMany([part(a, 0, [counted(1)]), part(b, 0, [counted(2), counted(3)])]);
      expect(seen).toEqual([...(await store.readStream(a)), ...(await store.readStream(b))]);
      const failing = [{ name: 'failing', project: () => Promise.reject(new Error('no')) }];
      const undone = under.open({ projections: failing }).appendMany([part(a, 1, [counted(4)])]);
      await expect(undone).rejects.toThrow('no');
      expect(await store.readStream(a)).toHaveLength(1);
    });

    it('by many writers loses nothing', async () => {
      const [a, b, c] = [newStreamId(), newStreamId(), newStreamId()];
      const write = async (writer: number) => {
        for (let n = 0; n < 5;) {
          const pair = [a, b, c].filter((_, i) => i !== (writer + n) % 3);
          if (writer % 2 === 1) pair.reverse();
          const streams = await store.readStreams(pair);
          try {
            await store.appendMany(pair.map((id) => part(id, streams.get(id)!.length, [counted(writer)])));
            n++;
          } catch (error) {
            if (!(error instanceof VersionConflict)) throw error;
          }
        }
      };
      await Promise.all(Array.from({ length: 6 }, (_, writer) => write(writer)));
      const lengths = await Promise.all([a, b, c].map(async (id) => (await store.readStream(id)).length));
      expect(lengths.reduce((sum, length) => sum + length)).toBe(60);
    });
  });
};
