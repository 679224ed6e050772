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

  it('is taken of one quick read in four, and of those behind a slow one', () => {
    const pace = new ReadPace();
    const timed = (times: number, elapsedMs: number) =>
      Array.from({ length: times }, () => {
        const { isTimed } = pace;
        if (isTimed) pace.note(elapsedMs, 4096);
        return isTimed ? 't' : '-';
      }).join('');
    expect(timed(8, 0.005)).toBe('t---t---');
    expect(timed(3, 0.15)).toBe('ttt');
    expect(timed(6, 0.005)).toMatch(/^t+/);
    const quick = new ReadPace();
    quick.skipNext();
    expect([quick.isTimed, quick.isTimed]).toEqual([false, true]);
  });
});
