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
  /** The n-th, from 0, once it was asked. */
  const query = async (n: number): Promise<Query> => {
    while (queries.length <= n) await turn();
    return queries[n]!;
  };
  return { queries, query, lookups };
};
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('lookups that share queries', () => {
  it('ask together what comes in one turn of the event loop or during a query', async () => {
    const { queries, query, lookups } = setUp();
    const first = [lookups.find('a'), lookups.find('c')];
    const one = await query(0);
    expect(one.names).toEqual(['a', 'c']);
    const others = [lookups.find('b'), lookups.find('a'), lookups.find('b')];
    await turn();
    expect(queries).toHaveLength(1);
    one.answer([['a', 1]]);
    expect(await Promise.all(first)).toEqual([1, null]);
    // The second asker of `a` may have to see what was committed after the first query began.
    const two = await query(1);
    expect(two.names).toEqual(['b', 'a']);
    two.answer([['a', 2]]);
    expect(await Promise.all(others)).toEqual([null, 2, null]);
    await turn();
    await turn();
    expect(queries).toHaveLength(2);
  });

  it('fail only those who asked in the query that failed', async () => {
    const { query, lookups } = setUp();
    const first = lookups.find('a');
    const one = await query(0);
    const second = lookups.find('b');
    one.fail(new Error('lost'));
    await expect(first).rejects.toThrow('lost');
    (await query(1)).answer([['b', 2]]);
    expect(await second).toBe(2);
  });

  it('never ask for more names at once than a query takes', async () => {
    const { queries, query, lookups } = setUp();
    const asked = Array.from({ length: 600 }, (_, n) => lookups.find(String(n)));
    for (let n = 0; n < 3; n++) {
      const { names, answer } = await query(n);
      answer(names.map((name) => [name, Number(name)]));
    }
    expect(await Promise.all(asked)).toEqual(Array.from({ length: 600 }, (_, n) => n));
    expect(queries.map(({ names }) => names.length)).toEqual([256, 256, 88]);
  });
});
