import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Bitmap } from './bitmap.ts';

describe('Bitmap', () => {
  it('behaves as a set of numbers, and keeps it through its bytes', () => {
    const change = fc.record({ set: fc.boolean(), index: fc.nat({ max: 76 }) });
    fc.assert(
      fc.property(fc.array(change), (changes) => {
        const [bitmap, model] = [new Bitmap(77), new Set<number>()];
        for (const { set, index } of changes) {
          expect(set ? bitmap.set(index) : bitmap.clear(index)).toBe(set !== model.has(index));
          if (set) model.add(index);
          else model.delete(index);
        }
        const again = new Bitmap(77, Buffer.from(bitmap.bytes));
        for (const copy of [bitmap, again, bitmap.clone()]) {
          expect([...copy]).toEqual([...model].sort((a, b) => a - b));
          expect(copy.count).toBe(model.size);
        }
      }),
    );
  });

  it('sets all bits and no more', () => {
    for (const length of [1, 7, 8, 9, 64, 77]) {
      const bitmap = new Bitmap(length);
      bitmap.setAll();
      expect([...bitmap]).toHaveLength(length);
      expect(new Bitmap(length, Buffer.alloc(Bitmap.bytesFor(length), 0xff)).count).toBe(length);
      bitmap.clearAll();
      expect(bitmap.next(0)).toBe(-1);
    }
  });

  it('refuses bits and bytes that are not its own', () => {
    expect(() => new Bitmap(9).set(9)).toThrow(RangeError);
    expect(() => new Bitmap(9).set(-1)).toThrow(RangeError);
    expect(() => new Bitmap(9, Buffer.alloc(1))).toThrow(RangeError);
  });
});
