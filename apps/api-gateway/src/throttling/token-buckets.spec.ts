import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TokenBuckets } from './token-buckets.ts';

describe('a token bucket', () => {
  it('lets a burst pass, then as many as are filled in, and never more than a burst after a pause', () => {
    let nowMs = 0;
    const buckets = new TokenBuckets(() => nowMs);
    const taken = (count: number) =>
      Array.from({ length: count }, () => buckets.take('a', { perSecond: 2, burst: 3 })).filter(Boolean).length;
    expect(taken(5)).toBe(3);
    nowMs = 400;
    expect(taken(5)).toBe(0);
    nowMs = 1000;
    expect(taken(5)).toBe(2);
    nowMs = 60_000;
    expect(taken(5)).toBe(3);
  });

  it('is nobody else’s', () => {
    const buckets = new TokenBuckets(() => 0);
    const rate = { perSecond: 1, burst: 1 };
    expect([buckets.take('a', rate), buckets.take('b', rate), buckets.take('a', rate)]).toEqual([true, true, false]);
  });

  it('fills slower than one a second', () => {
    let nowMs = 0;
    const buckets = new TokenBuckets(() => nowMs);
    const rate = { perSecond: 0.25, burst: 1 };
    expect(buckets.take('a', rate)).toBe(true);
    nowMs = 3999;
    expect(buckets.take('a', rate)).toBe(false);
    nowMs = 4000;
    expect(buckets.take('a', rate)).toBe(true);
  });

  it('never gives more than the burst and what the time has brought, however it is asked', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 200 }),
        fc.integer({ min: 1, max: 20 }),
        (pauses, perSecond) => {
          let nowMs = 0;
          const buckets = new TokenBuckets(() => nowMs);
          let taken = 0;
          for (const pause of pauses) {
            nowMs += pause;
            if (buckets.take('a', { perSecond, burst: 5 })) taken++;
          }
          expect(taken).toBeLessThanOrEqual(5 + (nowMs / 1000) * perSecond + 1e-6);
        },
      ),
    );
  });
});
