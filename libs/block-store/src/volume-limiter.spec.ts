import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { BlockDevice } from './block-device.ts';
import { TokenBucket } from './token-bucket.ts';
import { type LimiterClock, VolumeLimiter } from './volume-limiter.ts';
import { limitsOf, type VolumePerformance } from './volume-performance.ts';

const MIB = 1_048_576;
const of = (volumeType: VolumePerformance['volumeType'], sizeGiB: number, iops?: number, throughputMiBps?: number) =>
  limitsOf({ volumeType, sizeGiB, iops: iops ?? null, throughputMiBps: throughputMiBps ?? null });

describe('a token bucket', () => {
  it('gives no more than its rate and what had gathered, and never keeps back more than that', () => {
    const request = fc.record({ pauseMs: fc.nat({ max: 500 }), cost: fc.integer({ min: 1, max: 30 }) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.integer({ min: 1, max: 20 }),
        fc.array(request, { minLength: 1, maxLength: 60 }),
        (ratePerSecond, capacity, requests) => {
          const bucket = new TokenBucket({ ratePerSecond, capacity }, 0);
          let nowMs = 0;
          const taken: { atMs: number; cost: number }[] = [];
          for (const { pauseMs, cost } of requests) {
            nowMs += pauseMs;
            const waitMs = bucket.waitMs(cost, nowMs);
            if (waitMs > 0) expect(bucket.waitMs(cost, nowMs + waitMs * 0.9)).toBeGreaterThan(0);
            nowMs += waitMs;
            expect(bucket.waitMs(cost, nowMs)).toBe(0);
            bucket.take(cost, nowMs);
            taken.push({ atMs: nowMs, cost });
          }
          for (let from = 0; from < taken.length; from++) {
            let before = 0;
            for (let to = from; to < taken.length; to++) {
              // The last one may run into debt; what was taken before it may not.
              const earned = ((taken[to]!.atMs - taken[from]!.atMs) / 1000) * ratePerSecond;
              if (to > from) expect(before).toBeLessThanOrEqual(capacity + earned + taken[to - 1]!.cost + 1e-3);
              before += taken[to]!.cost;
            }
          }
        },
      ),
    );
  });

  it('keeps what has gathered, and what is owed, when its size changes', () => {
    const bucket = new TokenBucket({ ratePerSecond: 10, capacity: 10 }, 0);
    bucket.take(30, 0);
    bucket.resize({ ratePerSecond: 100, capacity: 50 }, 1_000);
    expect(bucket.waitMs(10, 1_000)).toBeCloseTo(200);
    bucket.resize({ ratePerSecond: 1, capacity: 5 }, 10_000);
    expect(bucket.waitMs(5, 10_000)).toBe(0);
    bucket.take(5, 10_000);
    expect(bucket.waitMs(1, 10_000)).toBeCloseTo(1_000);
  });
});

describe('what volumes of each type do', () => {
  it.each([
    ['gp2', of('gp2', 8), { iops: 3_000, MiBps: 128, baseline: 100, credits: 5_400_000 }],
    ['gp2 of 200 GiB', of('gp2', 200), { iops: 3_000, MiBps: 250, baseline: 600, credits: 5_400_000 }],
    ['gp2 of 1,000 GiB', of('gp2', 1_000), { iops: 3_000, MiBps: 250 }],
    ['gp2 of 16 TiB', of('gp2', 16_384), { iops: 16_000, MiBps: 250 }],
    ['gp3', of('gp3', 8, 3_000, 125), { iops: 3_000, MiBps: 125 }],
    ['gp3, provisioned', of('gp3', 100, 16_000, 1_000), { iops: 16_000, MiBps: 1_000 }],
    ['io1', of('io1', 100, 1_000), { iops: 1_000, MiBps: 250 }],
    ['io1 of 32,000 IOPS', of('io1', 1_000, 32_000), { iops: 32_000, MiBps: 500 }],
    ['io1 of 64,000 IOPS', of('io1', 2_000, 64_000), { iops: 64_000, MiBps: 1_000 }],
    ['io2', of('io2', 1_000, 4_000), { iops: 4_000, MiBps: 1_000 }],
    ['io2 of 256,000 IOPS', of('io2', 1_000, 256_000), { iops: 256_000, MiBps: 4_000 }],
    ['st1 of 1 TiB', of('st1', 1_024), { iops: 500, MiBps: 250, baselineMiBps: 40, creditMiB: 1_048_576 }],
    ['st1 of 16 TiB', of('st1', 16_384), { iops: 500, MiBps: 500, baselineMiBps: 500, creditMiB: 16_777_216 }],
    ['sc1 of 1 TiB', of('sc1', 1_024), { iops: 250, MiBps: 80, baselineMiBps: 12, creditMiB: 1_048_576 }],
    ['standard', of('standard', 8), { iops: 200, MiBps: 90 }],
  ])('%s', (_, { operations, bytes, operationCredits, byteCredits }, expected) => {
    const found = {
      iops: operations.ratePerSecond,
      MiBps: bytes.ratePerSecond / MIB,
      baseline: operationCredits?.ratePerSecond,
      credits: operationCredits?.capacity,
      baselineMiBps: byteCredits && byteCredits.ratePerSecond / MIB,
      creditMiB: byteCredits && byteCredits.capacity / MIB,
    };
    expect(found).toEqual({ ...Object.fromEntries(Object.keys(found).map((key) => [key, undefined])), ...expected });
  });
});

/** Turned by hand. */
class ManualClock implements LimiterClock {
  #nowMs = 0;
  #timers = new Set<{ atMs: number; callback: () => void }>();

  now(): number {
    return this.#nowMs;
  }

  setTimeout(callback: () => void, delayMs: number): () => void {
    // As coarse as the real one.
    const timer = { atMs: this.#nowMs + Math.max(1, Math.ceil(delayMs)), callback };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (;;) {
      const [next] = [...this.#timers].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#nowMs = next.atMs;
      next.callback();
    }
    this.#nowMs = untilMs;
  }
}

const countingDevice = (begun: number[]): BlockDevice => ({
  sizeBytes: 1_000 * MIB,
  readOnly: false,
  read: (offsetBytes) => void begun.push(offsetBytes),
  write: (offsetBytes) => void begun.push(offsetBytes),
  flush: () => Promise.resolve(),
  trim: (offsetBytes) => void begun.push(offsetBytes),
  writeZeroes: (offsetBytes) => void begun.push(offsetBytes),
  extents: () => [],
});

describe('a limited volume', () => {
  const setUp = (limits = of('gp3', 8, 3_000, 125)) => {
    const clock = new ManualClock();
    const limiter = new VolumeLimiter(clock);
    limiter.set(limits);
    const begun: number[] = [];
    return { clock, limiter, begun, device: limiter.device(countingDevice(begun)) };
  };
  const ask = (device: BlockDevice, count: number, bytes = 4_096) => {
    for (let each = 0; each < count; each++) void device.read(each, Buffer.alloc(bytes));
  };

  it('does its IOPS in a second, in the order of the requests, and refuses none', () => {
    const { clock, begun, device, limiter } = setUp();
    ask(device, 10_000);
    clock.advance(1_000);
    expect(begun.length).toBeGreaterThanOrEqual(3_000);
    expect(begun.length).toBeLessThanOrEqual(3_000 + 150 + 1);
    clock.advance(3_000);
    expect(begun).toEqual(Array.from({ length: 10_000 }, (_, each) => each));
    expect(limiter.waiting).toBe(0);
  });

  it('moves its bytes in a second, whatever the size of requests', () => {
    const { clock, begun, device } = setUp();
    ask(device, 1_000, MIB);
    clock.advance(2_000);
    expect(begun.length).toBeGreaterThanOrEqual(249);
    expect(begun.length).toBeLessThanOrEqual(250 + 8);
  });

  it('counts a large request as many, of 256 KiB', () => {
    const { clock, begun, device } = setUp(of('io1', 8, 100));
    void device.read(0, Buffer.alloc(4 * MIB)); // From what has gathered, and more: 16 operations, and 5 are here.
    void device.read(1, Buffer.alloc(4_096));
    clock.advance(100);
    expect(begun).toEqual([0]);
    clock.advance(100);
    expect(begun).toEqual([0, 1]);
  });

  it('bursts as long as a gp2 volume has credits, then does its baseline', () => {
    const { clock, begun, device } = setUp({
      ...of('gp2', 8),
      operationCredits: { ratePerSecond: 100, capacity: 6_000 },
    });
    ask(device, 20_000);
    clock.advance(2_000);
    expect(begun.length).toBeGreaterThanOrEqual(6_000);
    clock.advance(1_000);
    const after = begun.length;
    clock.advance(10_000);
    expect(begun.length - after).toBeGreaterThanOrEqual(999);
    expect(begun.length - after).toBeLessThanOrEqual(1_001);
  });

  it('goes on with the credits that were left, and what has come since', () => {
    const limits = { ...of('gp2', 8), operationCredits: { ratePerSecond: 100, capacity: 6_000 } };
    const { clock, device, limiter } = setUp(limits);
    ask(device, 5_000);
    clock.advance(2_000);
    const { operationCredits = NaN } = limiter.credits() ?? {};
    expect(operationCredits).toBeCloseTo(6_000 - 5_000 + 200, -2);
    const other = setUp(limits);
    other.limiter.restoreCredits({ operationCredits: -400 }, 1_000);
    ask(other.device, 10);
    other.clock.advance(2_900);
    expect(other.begun.length).toBe(0);
    other.clock.advance(200);
    expect(other.begun.length).toBeGreaterThan(0);
    other.limiter.restoreCredits({ operationCredits: 0, byteCredits: 7 }, 10 ** 9);
    expect(other.limiter.credits()).toEqual({ operationCredits: 6_000 });
    expect(setUp(of('gp3', 8, 3_000, 125)).limiter.credits()).toBeNull();
  });

  it('follows a change at once, also for what waits already', () => {
    const { clock, begun, device, limiter } = setUp(of('gp3', 8, 100, 125));
    ask(device, 5_000);
    clock.advance(1_000);
    expect(begun.length).toBeLessThan(110);
    limiter.set(of('gp3', 8, 4_000, 1_000));
    clock.advance(1_000);
    expect(begun.length).toBeGreaterThan(4_000);
    limiter.set(null);
    expect(begun.length).toBe(5_000);
  });

  it('shares its limits among its devices, and one that closes waits no longer', () => {
    const { clock, begun, device, limiter } = setUp(of('gp3', 8, 100, 125));
    const others: number[] = [];
    const other = limiter.device(countingDevice(others));
    ask(device, 50);
    ask(other, 50);
    clock.advance(200);
    expect(begun.length + others.length).toBeLessThan(30);
    other.release();
    expect(others.length).toBe(50);
    clock.advance(1_000);
    expect(begun.length).toBe(50);
  });

  it('waits neither for flushes nor for what allocation is asked', async () => {
    const { device } = setUp(of('gp3', 8, 100, 125));
    ask(device, 1_000);
    await device.flush();
    expect(device.extents(0, 4_096)).toEqual([]);
  });

  it('tells what the device below threw', async () => {
    const { clock, limiter } = setUp(of('gp3', 8, 100, 125));
    const failing = limiter.device({
      ...countingDevice([]),
      write: () => {
        throw new Error('no');
      },
    });
    ask(limiter.device(countingDevice([])), 100);
    const written = failing.write(0, Buffer.alloc(1));
    clock.advance(2_000);
    await expect(written).rejects.toThrow('no');
  });
});
