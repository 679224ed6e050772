import { describe, expect, it } from 'vitest';
import { SharedLookups } from './shared-lookups.ts';

interface Query {
  readonly names: readonly string[];
  readonly answer: (found: [string, number][]) => void;
  readonly fail: (error: Error) => void;
}

const setUp = () => {
  const queries: Query[] = [];
  const lookups = new SharedLookups<number>(
    (names) =>
      new Promise((resolve, reject) =>
        queries.push({ names, answer: (found) => resolve(new Map(found)), fail: reject }),
      ),
  );
  return { queries, lookups };
};
const soon = () => new Promise((resolve) => setImmediate(resolve));

describe('lookups that share queries', () => {
  it('ask at once when none is under way, and together in the next one', async () => {
    const { queries, lookups } = setUp();
    const first = lookups.find('a');
    const others = [lookups.find('b'), lookups.find('a'), lookups.find('b')];
    expect(queries.map(({ names }) => names)).toEqual([['a']]);
    queries[0]!.answer([['a', 1]]);
    expect(await first).toBe(1);
    await soon();
    // The second asker of `a` may have to see what was committed after the first query began.
    expect(queries[1]!.names).toEqual(['b', 'a']);
    queries[1]!.answer([['a', 2]]);
    expect(await Promise.all(others)).toEqual([null, 2, null]);
    await soon();
    expect(queries).toHaveLength(2);
  });

  it('fail only those who asked in the query that failed', async () => {
    const { queries, lookups } = setUp();
    const first = lookups.find('a');
    const second = lookups.find('b');
    queries[0]!.fail(new Error('lost'));
    await expect(first).rejects.toThrow('lost');
    await soon();
    queries[1]!.answer([['b', 2]]);
    expect(await second).toBe(2);
  });

  it('never ask for more names at once than a query takes', async () => {
    const { queries, lookups } = setUp();
    const asked = Array.from({ length: 600 }, (_, n) => lookups.find(String(n)));
    for (let n = 0; n < 4; n++) {
      queries[n]!.answer(queries[n]!.names.map((name) => [name, Number(name)]));
      await soon();
    }
    expect(queries.map(({ names }) => names.length)).toEqual([1, 256, 256, 87]);
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 600 }, (_, n) => n));
  });
});
