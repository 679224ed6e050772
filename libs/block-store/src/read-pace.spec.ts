import { describe, expect, it } from 'vitest';
import { ReadPace } from './read-pace.ts';

const read = (pace: ReadPace, times: number, elapsedMs: number) => {
  for (let time = 0; time < times; time++) if (!pace.isSlow) pace.note(elapsedMs, 4096);
};

describe('the pace of reads', () => {
  it('stays synchronous on a page cache, through single stalls', () => {
    const pace = new ReadPace();
    for (let round = 0; round < 50; round++) {
      read(pace, 50, 0.005);
      pace.note(20, 4096);
      expect(pace.isSlow && pace.isSlow).toBe(false);
    }
  });

  it('leaves the event loop when the disk is slow, and comes back when it is not', () => {
    const pace = new ReadPace();
    read(pace, 20, 0.15);
    expect(pace.isSlow).toBe(true);
    read(pace, 64 * 30, 0.005);
    expect(pace.isSlow && pace.isSlow).toBe(false);
  });

  it('does not take long reads for slow ones', () => {
    const pace = new ReadPace();
    for (let time = 0; time < 100; time++) pace.note(0.3, 1_048_576);
    expect(pace.isSlow && pace.isSlow).toBe(false);
  });
});
