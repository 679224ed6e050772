import { instant } from '@holdfast/contracts';
import type { Clock } from './types.ts';

const clockOf = (nowMs: () => number): Clock => ({
  now: () => new Date(nowMs()),
  instant: () => instant(new Date(nowMs())),
});

export const systemClock: Clock = clockOf(() => Date.now());

/** Farthest that a clock is turned, in milliseconds: a hundred years, so that every date stays one AWS can write. */
const FARTHEST_MS = 100 * 365.25 * 24 * 3_600_000;

/** The system's clock, some time off: for development, where keys and deletions shall come of age without waiting. */
export class TurnableClock implements Clock {
  private offset = 0;
  private readonly clock = clockOf(() => Date.now() + this.offset);

  get offsetMs(): number {
    return this.offset;
  }

  now(): Date {
    return this.clock.now();
  }

  instant() {
    return this.clock.instant();
  }

  /** @throws RangeError for no number, or more than a hundred years. */
  turnTo(offsetMs: number): void {
    if (!Number.isFinite(offsetMs) || Math.abs(offsetMs) > FARTHEST_MS) {
      throw new RangeError(`a clock can't be turned by ${String(offsetMs)} ms`);
    }
    this.offset = offsetMs;
  }
}
