export interface BucketSize {
  readonly ratePerSecond: number;
  /** What gathers while nothing is taken, at most. */
  readonly capacity: number;
}

/** Rounding must not make anyone wait for a billionth of a token. */
const EPSILON = 1e-6;

/**
 * Tokens that come at a rate and gather up to a capacity; a new bucket is full. What costs more than the bucket holds is
 * served by a full one and leaves a debt, so that over any time no more is taken than rate × time + capacity, and the last cost.
 * All times in milliseconds, of one clock that never goes back.
 */
export class TokenBucket {
  #size: BucketSize;
  #tokens: number;
  #atMs: number;

  constructor(size: BucketSize, nowMs: number) {
    this.#size = size;
    this.#tokens = size.capacity;
    this.#atMs = nowMs;
  }

  /** @returns milliseconds until `cost` may be taken; 0: now. */
  waitMs(cost: number, nowMs: number): number {
    this.#refill(nowMs);
    const missing = Math.min(cost, this.#size.capacity) - this.#tokens;
    return missing <= EPSILON ? 0 : (missing / this.#size.ratePerSecond) * 1000;
  }

  /** For after `waitMs` was 0 at the same moment. */
  take(cost: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens -= cost;
  }

  /** What has gathered; below zero: what is owed. */
  tokens(nowMs: number): number {
    this.#refill(nowMs);
    return this.#tokens;
  }

  /** As if so much had gathered. */
  setTokens(tokens: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#tokens = Math.min(tokens, this.#size.capacity);
  }

  /** From now on; what has gathered, or is owed, stays. */
  resize(size: BucketSize, nowMs: number): void {
    this.#refill(nowMs);
    this.#size = size;
    this.#tokens = Math.min(this.#tokens, size.capacity);
  }

  #refill(nowMs: number): void {
    const { ratePerSecond, capacity } = this.#size;
    const passedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = Math.max(this.#atMs, nowMs);
    this.#tokens = Math.min(capacity, this.#tokens + (passedMs / 1000) * ratePerSecond);
  }
}
