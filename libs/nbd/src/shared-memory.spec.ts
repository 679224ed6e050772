import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type MemoryHolder, OWN_BYTES, SharedMemory } from './shared-memory.ts';

const MIB = 1024 * 1024;

/** A connection of which a test says what it holds, and what its client does. */
class Holder implements MemoryHolder {
  waitsForClient = false;
  movedBytes = 0;
  pendingBytes = 0;
  cuts = 0;
  retries = 0;

  constructor(
    readonly memory: SharedMemory,
    public heldBytes: number,
    readonly wantedBytes = 0,
  ) {
    memory.add(this);
  }

  cut(): void {
    this.cuts += 1;
    this.memory.remove(this);
  }

  retry(): void {
    this.retries += 1;
    this.memory.mayHold(this, this.wantedBytes);
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('memory that connections share', () => {
  it('is for all, beyond what each has of its own', () => {
    const memory = new SharedMemory(10 * MIB);
    const [first, second] = [new Holder(memory, 0), new Holder(memory, 0)];
    expect(memory.mayHold(first, 50 * MIB)).toBe(true);
    first.heldBytes = 8 * MIB;
    expect(memory.mayHold(second, 4 * MIB)).toBe(true);
    expect(memory.mayHold(second, 4 * MIB + 1)).toBe(false);
    first.heldBytes = 80 * MIB;
    expect(memory.mayHold(second, OWN_BYTES)).toBe(true);
  });

  it('is asked for again by those that wait, until they have it', () => {
    const memory = new SharedMemory(10 * MIB);
    const first = new Holder(memory, 11 * MIB);
    const second = new Holder(memory, 0, 2 * MIB);
    expect(memory.mayHold(second, 2 * MIB)).toBe(false);
    vi.advanceTimersByTime(500);
    expect(second.retries).toBeGreaterThan(5);
    first.heldBytes = 0;
    vi.advanceTimersByTime(100);
    const { retries } = second;
    vi.advanceTimersByTime(1_000);
    expect(second.retries).toBe(retries);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is taken from a client that moves nothing while others wait, and from no other', () => {
    const memory = new SharedMemory(10 * MIB);
    const stalled = new Holder(memory, 5 * MIB);
    const sends = new Holder(memory, 5 * MIB);
    const takes = new Holder(memory, 5 * MIB);
    const served = new Holder(memory, 5 * MIB); // By a backend that takes its time.
    for (const holder of [stalled, sends, takes]) holder.waitsForClient = true;
    vi.advanceTimersByTime(60_000);
    const waits = new Holder(memory, 0, 12 * MIB);
    memory.mayHold(waits, waits.wantedBytes);
    takes.pendingBytes = 5 * MIB;
    for (let second = 0; second < 12; second += 1) {
      vi.advanceTimersByTime(1_000);
      sends.movedBytes += MIB / 4;
      takes.pendingBytes -= MIB / 4;
    }
    expect([stalled, sends, takes, served, waits].map(({ cuts }) => cuts)).toEqual([1, 0, 0, 0, 0]);
  });

  it('is not taken from a client whom nobody waits for', () => {
    const memory = new SharedMemory(10 * MIB);
    const stalled = new Holder(memory, 10 * MIB);
    stalled.waitsForClient = true;
    const waits = new Holder(memory, 0, 3 * MIB);
    memory.mayHold(waits, 3 * MIB);
    vi.advanceTimersByTime(6_000);
    memory.remove(waits);
    vi.advanceTimersByTime(60_000);
    memory.add(waits);
    memory.mayHold(waits, 3 * MIB);
    vi.advanceTimersByTime(6_000);
    expect(stalled.cuts).toBe(0);
    vi.advanceTimersByTime(6_000);
    expect(stalled.cuts).toBe(1);
  });
});
