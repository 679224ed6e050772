import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { RepeatedWork } from './repeated-work.ts';

const warn = vi.fn();

class Counted extends RepeatedWork {
  times = 0;
  work = (): Promise<void> => Promise.resolve();

  constructor() {
    super(1000, 'it was not counted', { info: vi.fn(), warn });
  }

  async run(): Promise<void> {
    this.times++;
    await this.work();
  }
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => {
  vi.useRealTimers();
  warn.mockClear();
});

it('is done at each interval until the service ends', async () => {
  const counted = new Counted();
  counted.onApplicationBootstrap();
  expect(counted.times).toBe(0);
  await vi.advanceTimersByTimeAsync(3000);
  expect(counted.times).toBe(3);
  await counted.onModuleDestroy();
  await vi.advanceTimersByTimeAsync(3000);
  expect(counted.times).toBe(3);
});

it('is never done twice at a time, and waited for at the end', async () => {
  const counted = new Counted();
  let finish = (): void => undefined;
  counted.work = () => new Promise((resolve) => (finish = resolve));
  counted.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(5000);
  expect(counted.times).toBe(1);
  let ended = false;
  const end = counted.onModuleDestroy().then(() => (ended = true));
  await vi.advanceTimersByTimeAsync(0);
  expect(ended).toBe(false);
  finish();
  await end;
  await vi.advanceTimersByTimeAsync(5000);
  expect(counted.times).toBe(1);
});

it('is tried again when it fails', async () => {
  const counted = new Counted();
  counted.work = () => Promise.reject(new Error('no'));
  counted.onApplicationBootstrap();
  await vi.advanceTimersByTimeAsync(2000);
  expect(counted.times).toBe(2);
  expect(warn).toHaveBeenCalledWith({ err: new Error('no') }, 'it was not counted; trying again');
  await counted.onModuleDestroy();
});
