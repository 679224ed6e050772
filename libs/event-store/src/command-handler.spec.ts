import { describe, expect, it } from 'vitest';
import { type Decider, DomainError, VersionConflict } from '@holdfast/decider';
import { CommandHandler } from './command-handler.ts';
import { MemoryEventStore } from './memory/index.ts';
import { appendOptions, counted, type CounterEvent } from './testing/fixtures.ts';

type Command = { readonly type: 'Count'; readonly by: number };

/** Counts to ten at most; counting by zero repeats a fact. */
const counter: Decider<Command, CounterEvent, number> = {
  initialState: 0,
  evolve: (sum, event) => (event.type === 'Counted' ? sum + event.by : 0),
  decide: ({ by }, sum) => {
    if (sum + by > 10) throw new DomainError('TooMuch');
    return by === 0 ? [] : [counted(by)];
  },
};

describe('a command handler', () => {
  const setUp = (store = new MemoryEventStore({ service: 'spec' })) => ({
    store,
    handler: new CommandHandler(store, counter, (id) => `counter-${id}`),
  });
  const count = (by: number): Command => ({ type: 'Count', by });

  it('decides on the history and appends', async () => {
    const { store, handler } = setUp();
    await handler.handle('1', count(4), appendOptions);
    expect(await handler.handle('1', count(6), appendOptions)).toEqual(await store.readStream('counter-1', 2));
    await expect(handler.handle('1', count(1), appendOptions)).rejects.toThrow(DomainError);
    expect(await handler.load('1')).toEqual({ state: 10, version: 2 });
    expect(await handler.load('2')).toEqual({ state: 0, version: 0 });
  });

  it('appends nothing when the command repeats a fact', async () => {
    const { store, handler } = setUp();
    expect(await handler.handle('1', count(0), appendOptions)).toEqual([]);
    expect(await store.readStream('counter-1')).toEqual([]);
  });

  it('decides again on what another writer appended meanwhile', async () => {
    const { store, handler } = setUp();
    const { handler: other } = setUp(store);
    const outcomes = await Promise.allSettled([handler.handle('1', count(6), appendOptions), other.handle('1', count(5), appendOptions)]); // prettier-ignore
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected']);
    expect(outcomes[1]).toMatchObject({ reason: { code: 'TooMuch' } });
    expect(await store.readStream('counter-1')).toHaveLength(1);
  });

  it('carries out one command of a stream after the other, however many come at once', async () => {
    const { store, handler } = setUp();
    const append = store.append.bind(store);
    let conflicts = 0;
    store.append = (...parameters) =>
      append(...parameters).catch((error: unknown) => {
        conflicts++;
        throw error;
      });
    const commands = [1, 20, 1, 1, 1, 1, 1, 1, 1, 1, 1].map((by) => handler.handle('1', count(by), appendOptions));
    const outcomes = await Promise.allSettled(commands);
    expect(outcomes.flatMap(({ status }, i) => (status === 'rejected' ? [i] : []))).toEqual([1]); // And it holds up no other.
    expect(await handler.load('1')).toEqual({ state: 10, version: 10 });
    expect(conflicts).toBe(0);
  });

  it('gives up after its attempts and says that it was a conflict', async () => {
    const { store, handler } = setUp();
    let tries = 0;
    store.append = (streamId, expectedVersion) => {
      tries++;
      return Promise.reject(new VersionConflict(streamId, expectedVersion));
    };
    await expect(handler.handle('1', count(1), appendOptions)).rejects.toThrow(VersionConflict);
    expect(tries).toBe(4);
  });
});
