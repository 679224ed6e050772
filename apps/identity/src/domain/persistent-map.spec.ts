import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PersistentMap } from './persistent-map.ts';

const change = fc.record({ key: fc.string({ maxLength: 2 }), value: fc.option(fc.integer()) });

describe('a persistent map', () => {
  it('holds what a Map holds after the same changes, and leaves every earlier one as it was', () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 60 }), (changes) => {
        const expected = new Map<string, number>();
        let map = PersistentMap.empty<number>();
        const history: [PersistentMap<number>, Map<string, number>][] = [];
        for (const { key, value } of changes) {
          history.push([map, new Map(expected)]);
          map = value === null ? map.delete(key) : map.set(key, value);
          if (value === null) expected.delete(key);
          else expected.set(key, value);
        }
        for (const [then, content] of [...history, [map, expected] as const]) {
          expect(then.size).toBe(content.size);
          for (const { key } of changes) expect(then.get(key)).toBe(content.get(key));
        }
      }),
    );
  });

  it('takes names that objects have already', () => {
    const map = PersistentMap.empty<string>();
    for (const key of ['__proto__', 'constructor', 'toString']) {
      expect(map.has(key)).toBe(false);
      expect(map.set(key, 'v').get(key)).toBe('v');
    }
  });

  it('is copied cheaply: ten thousand entries are set in moments', () => {
    let map = PersistentMap.empty<number>();
    const started = performance.now();
    for (let i = 0; i < 10_000; i++) map = map.set(`user/${String(i)}`, i);
    expect(map.size).toBe(10_000);
    expect(performance.now() - started).toBeLessThan(2000);
  });
});
