import { randomBytes } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import type { BlockDevice } from './block-device.ts';
import { type FaultPlan, InjectedFaults } from './fault-injection.ts';

const PAGE = 4096;
const SIZE = 64 * PAGE;

let bytes: Buffer;
let below: BlockDevice;
beforeEach(() => {
  bytes = Buffer.alloc(SIZE);
  below = {
    sizeBytes: SIZE,
    readOnly: false,
    read: (offset, target) => void bytes.copy(target, 0, offset),
    write: (offset, data) => void data.copy(bytes, offset),
    flush: () => Promise.resolve(),
    trim: (offset, length) => void bytes.fill(0, offset, offset + length),
    writeZeroes: (offset, length) => void bytes.fill(0, offset, offset + length),
    extents: (_, lengthBytes) => [{ lengthBytes, state: 'data' }],
  };
});

/** Which of so many reads and writes fail, and what is on the device then. */
const life = async (plan: FaultPlan | null) => {
  bytes.fill(0);
  const faults = new InjectedFaults();
  faults.set(plan);
  const device = faults.device(below);
  const failed: number[] = [];
  for (let at = 0; at < 200; at++) {
    const request = async () => {
      if (at % 3 === 0) await device.read((at % 64) * PAGE, Buffer.alloc(PAGE));
      else if (at % 3 === 1) await device.write((at % 64) * PAGE, Buffer.alloc(PAGE, at));
      else await device.flush();
    };
    await request().catch((error: { code?: string }) => {
      expect(error.code).toBe('EIO');
      failed.push(at);
    });
  }
  return { failed, content: Buffer.from(bytes) };
};

describe('injected faults', () => {
  const plan = { seed: 7, readErrors: 0.2, writeErrors: 0.1, flushErrors: 0.1, tornWrites: 0.2 };

  it('are the same under the same seed, and others under another', async () => {
    const [once, again, other] = [await life(plan), await life(plan), await life({ ...plan, seed: 8 })];
    expect(once.failed.length).toBeGreaterThan(20);
    expect(again).toEqual(once);
    expect(other.failed).not.toEqual(once.failed);
  });

  it('are the same in whatever order requests that are under way together come through', async () => {
    const lives: { failed: Set<number>; content: Buffer }[] = [];
    for (const isBackwards of [false, true]) {
      bytes.fill(0);
      const faults = new InjectedFaults();
      faults.set({ ...plan, delays: 0.3, delayMs: 1 });
      const device = faults.device(below);
      const failed = new Set<number>();
      const requests = Array.from({ length: 192 }, (_, at) => at);
      const asked = (isBackwards ? requests.reverse() : requests).map(async (at) => {
        const [kind, offset] = [at % 3, Math.floor(at / 3) * PAGE];
        try {
          if (kind === 0) await device.write(offset, Buffer.alloc(PAGE, at + 1));
          else if (kind === 1) await device.read(offset, Buffer.alloc(PAGE));
          else await device.read(offset, Buffer.alloc(512));
        } catch {
          failed.add(at);
        }
      });
      await Promise.all(asked);
      lives.push({ failed, content: Buffer.from(bytes) });
    }
    expect(lives[0]?.failed.size).toBeGreaterThan(20);
    expect(lives[1]).toEqual(lives[0]);
  });

  it('strike as often as they are told to', async () => {
    const faults = new InjectedFaults();
    faults.set({ seed: 11, readErrors: 0.25 });
    const device = faults.device(below);
    let failures = 0;
    for (let at = 0; at < 4_000; at++) {
      await Promise.resolve(device.read((at % 64) * PAGE, Buffer.alloc(PAGE))).catch(() => failures++);
    }
    expect(failures / 4_000).toBeCloseTo(0.25, 1);
  });

  it('are none without a plan', async () => {
    expect((await life(null)).failed).toEqual([]);
  });

  it('tear writes at a sector', async () => {
    const faults = new InjectedFaults();
    faults.set({ seed: 3, tornWrites: 1 });
    const device = faults.device(below);
    const data = Buffer.alloc(8 * PAGE, 0xaa);
    await expect((async () => device.write(0, Buffer.from(data)))()).rejects.toMatchObject({ code: 'EIO' });
    const arrived = bytes.indexOf(0);
    expect(arrived % 512).toBe(0);
    expect(arrived).toBeGreaterThan(0);
    expect(arrived).toBeLessThan(data.length);
  });

  it('lose some of what was not flushed with the power, and nothing of what was', async () => {
    const faults = new InjectedFaults();
    faults.set({ seed: 1, loseUnsyncedWrites: true });
    const device = faults.device(below);
    const flushed = randomBytes(SIZE);
    await device.write(0, Buffer.from(flushed));
    await device.flush();
    const later = randomBytes(32 * PAGE);
    await device.write(0, Buffer.from(later));
    await faults.losePower(below);
    const pages = Array.from({ length: 32 }, (_, page) => {
      const found = bytes.subarray(page * PAGE, (page + 1) * PAGE);
      return found.equals(flushed.subarray(page * PAGE, (page + 1) * PAGE)) ? 'old' : 'new';
    });
    expect(new Set(pages)).toEqual(new Set(['old', 'new']));
    expect(bytes.subarray(32 * PAGE).equals(flushed.subarray(32 * PAGE))).toBe(true);
  });

  it('make the block store unavailable', async () => {
    const faults = new InjectedFaults();
    const stored = Buffer.of(1) as Buffer<ArrayBuffer>;
    const store = faults.store({
      put: () => Promise.resolve(),
      settle: () => Promise.resolve(),
      get: () => Promise.resolve(stored),
    });
    expect(await store.get(stored)).toBe(stored);
    faults.set({ seed: 1, storeUnavailable: true });
    await expect(store.get(stored)).rejects.toMatchObject({ code: 'EIO' });
    await expect(store.put(stored, stored)).rejects.toMatchObject({ code: 'EIO' });
  });

  it('wait as long as they are told', async () => {
    const faults = new InjectedFaults();
    faults.set({ seed: 1, delays: 1, delayMs: 30 });
    const began = performance.now();
    await faults.device(below).read(0, Buffer.alloc(1));
    expect(performance.now() - began).toBeGreaterThan(25);
  });
});
