import type { RequestContext } from '@holdfast/contracts';
import type { StreamAppend } from '@holdfast/event-store';
import { MemoryEventStore } from '@holdfast/event-store/memory';
import { beforeEach, describe, expect, it } from 'vitest';
import type { KeyUsed } from '../../domain/key-use.events.ts';
import { KeyUseStreams } from './key-use-streams.ts';

const context = { requestId: 'r', principal: {}, accountId: '1', region: 'r' } as unknown as RequestContext;
const use = (requestId: string) => ({ type: 'KeyUsed', requestId, at: '2026-03-01T00:00:00.000Z' }) as KeyUsed;

/** Counts the commits, and lets a test hold them up or break them. */
class SlowStore extends MemoryEventStore {
  commits: number[] = [];
  broken = false;
  gate: Promise<void> = Promise.resolve();
  constructor() {
    super({ service: 'kms' });
  }
  override async appendMany(appends: readonly StreamAppend<never>[]) {
    this.commits.push(appends.length);
    await this.gate;
    if (this.broken) throw new Error('the database is away');
    return super.appendMany(appends);
  }
  async recorded() {
    return (await this.readLog(null, 1000)).events.map(({ data }) => (data as unknown as KeyUsed).requestId);
  }
}

let store: SlowStore;
let log: KeyUseStreams;
beforeEach(() => {
  store = new SlowStore();
  log = new KeyUseStreams(store);
});

describe('uses of keys', () => {
  it('that come in one turn of the event loop or during a commit share the next one', async () => {
    let open = (): void => undefined;
    store.gate = new Promise((resolve) => (open = resolve));
    const answered: string[] = [];
    const names = Array.from({ length: 300 }, (_, n) => `r${String(n)}`);
    const record = (name: string) => log.record([use(name)], context).then(() => answered.push(name));
    const first = names.slice(0, 2).map(record);
    while (store.commits.length === 0) await new Promise(setImmediate);
    const all = [...first, ...names.slice(2).map(record)];
    await new Promise(setImmediate);
    expect(answered).toEqual([]);
    expect(await store.recorded()).toEqual([]);
    open();
    await Promise.all(all);
    expect(store.commits).toEqual([2, 256, 42]);
    expect(await store.recorded()).toEqual(names);
  });

  it('are answered only when their own commit is through', async () => {
    await log.record([use('a')], context);
    store.broken = true;
    const failed = [log.record([use('b')], context), log.record([use('c')], context)];
    const outcomes = await Promise.allSettled(failed);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    store.broken = false;
    await log.record([use('d')], context);
    expect(await store.recorded()).toEqual(['a', 'd']);
  });

  it('that the log cannot hold spoil no others', async () => {
    const first = log.record([use('a')], context);
    const outcomes = Promise.allSettled([
      log.record([use('b')], context),
      log.record([use('\0')], context),
      log.record([use('c'), use('c2')], context),
    ]);
    await first;
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(await store.recorded()).toEqual(['a', 'b', 'c', 'c2']);
  });

  it('of no key are none', async () => {
    await log.record([], context);
    expect(store.commits).toEqual([]);
  });
});
