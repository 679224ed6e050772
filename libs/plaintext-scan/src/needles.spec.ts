import fc from 'fast-check';
import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { Needles } from './needles.ts';

describe('needles', () => {
  it('are found wherever they are, among others of any length', () => {
    const needles = [6, 16, 17, 32, 100].map((length) => randomBytes(length));
    const all = new Needles(needles);
    expect(all.overlapBytes).toBe(99);
    for (const needle of needles)
      for (let at = 0; at <= 200; at++) {
        const bytes = Buffer.alloc(300, 0xaa);
        needle.copy(bytes, at);
        expect(all.areIn(bytes), `${String(needle.length)} bytes at ${String(at)}`).toBe(true);
        expect(all.areIn(bytes.subarray(at + 1)), 'without its first byte').toBe(false);
        expect(all.areIn(bytes.subarray(0, at + needle.length - 1)), 'without its last byte').toBe(false);
      }
  });

  it('are found where looking for each finds one, in bytes that are much alike', () => {
    const bytes = (minLength: number, maxLength: number) =>
      fc.array(fc.constantFrom(0, 1), { minLength, maxLength }).map((array) => Buffer.from(array));
    const property = fc.property(fc.array(bytes(1, 20), { maxLength: 5 }), bytes(0, 200), (needles, hay) => {
      expect(new Needles(needles).areIn(hay)).toBe(needles.some((needle) => hay.includes(needle)));
    });
    fc.assert(property, { numRuns: 2000 });
  });
});
