import { performance } from 'node:perf_hooks';
import type { BlockDevice } from './block-device.ts';
import { TokenBucket } from './token-bucket.ts';
import type { VolumeLimits } from './volume-performance.ts';

type Access = () => void | Promise<void>;

interface Waiting {
  readonly device: LimitedDevice;
  readonly bytes: number;
  readonly begin: () => void;
}

const BUCKETS = ['operations', 'bytes', 'operationCredits', 'byteCredits'] as const;
const CREDITS = ['operationCredits', 'byteCredits'] as const;
type BucketName = (typeof BUCKETS)[number];

export interface LimiterClock {
  /** Milliseconds, never going back. */
  now(): number;
  setTimeout(callback: () => void, delayMs: number): () => void;
}

const realClock: LimiterClock = {
  now: () => performance.now(),
  setTimeout: (callback, delayMs) => {
    const timer = setTimeout(callback, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Burst credits that are left; absent: the volume's type has none of the kind. */
export interface BurstCredits {
  readonly operationCredits?: number;
  readonly byteCredits?: number;
}

/**
 * Holds all devices of a volume to what its type promises together. A request that comes too soon waits its turn; it is never
 * refused, and requests begin in the order in which they came. Without limits nothing waits, and nothing is counted.
 */
export class VolumeLimiter {
  readonly #clock: LimiterClock;
  readonly #buckets = new Map<BucketName, TokenBucket>();
  #limits: VolumeLimits | null = null;
  #waiting: Waiting[] = [];
  #cancelTimer: (() => void) | null = null;

  constructor(clock: LimiterClock = realClock) {
    this.#clock = clock;
  }

  /** From now on, for requests that wait as well; credits stay as they are. Null: no limits. */
  set(limits: VolumeLimits | null): void {
    this.#limits = limits;
    const nowMs = this.#clock.now();
    for (const name of BUCKETS) {
      const size = limits?.[name];
      const bucket = this.#buckets.get(name);
      if (size === undefined) this.#buckets.delete(name);
      else if (bucket === undefined) this.#buckets.set(name, new TokenBucket(size, nowMs));
      else bucket.resize(size, nowMs);
    }
    this.#beginDue();
  }

  /** Null: the volume has no credits to keep. */
  credits(): BurstCredits | null {
    const nowMs = this.#clock.now();
    const left = CREDITS.flatMap((name) => {
      const bucket = this.#buckets.get(name);
      return bucket === undefined ? [] : [[name, bucket.tokens(nowMs)] as const];
    });
    return left.length === 0 ? null : Object.fromEntries(left);
  }

  /** Goes on with what was left so long ago; for after `set`. */
  restoreCredits(credits: BurstCredits, agoMs: number): void {
    const nowMs = this.#clock.now();
    for (const name of CREDITS) {
      const [left, size] = [credits[name], this.#limits?.[name]];
      if (left === undefined || size === undefined) continue;
      this.#buckets.get(name)?.setTokens(left + (Math.max(0, agoMs) / 1000) * size.ratePerSecond, nowMs);
    }
    this.#beginDue();
  }

  device(below: BlockDevice): LimitedDevice {
    return new LimitedDevice(below, this);
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** @returns whether a request may begin now, and counts it if so. */
  admit(bytes: number): boolean {
    if (this.#limits === null) return true;
    if (this.#waiting.length > 0) return false;
    const nowMs = this.#clock.now();
    if (this.#waitMs(bytes, nowMs) > 0) return false;
    this.#take(bytes, nowMs);
    return true;
  }

  later(device: LimitedDevice, bytes: number, access: Access): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = () => {
        try {
          resolve(access());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      };
      this.#waiting.push({ device, bytes, begin });
      if (this.#cancelTimer === null) this.#beginDue();
    });
  }

  /** Lets all requests of one device begin. */
  release(device: LimitedDevice): void {
    const released = this.#waiting.filter((waiting) => waiting.device === device);
    this.#waiting = this.#waiting.filter((waiting) => waiting.device !== device);
    for (const { begin } of released) begin();
    this.#beginDue();
  }

  #beginDue(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = null;
    for (;;) {
      const [first] = this.#waiting;
      if (first === undefined) return;
      const nowMs = this.#clock.now();
      const waitMs = this.#waitMs(first.bytes, nowMs);
      if (waitMs > 0) {
        this.#cancelTimer = this.#clock.setTimeout(() => this.#beginDue(), waitMs);
        return;
      }
      this.#waiting.shift();
      this.#take(first.bytes, nowMs);
      first.begin();
    }
  }

  #costs(bytes: number): (name: BucketName) => number {
    const operations = Math.max(1, Math.ceil(bytes / (this.#limits?.operationBytes ?? Infinity)));
    return (name) => (name === 'operations' || name === 'operationCredits' ? operations : bytes);
  }

  #waitMs(bytes: number, nowMs: number): number {
    const costOf = this.#costs(bytes);
    let longest = 0;
    for (const [name, bucket] of this.#buckets) longest = Math.max(longest, bucket.waitMs(costOf(name), nowMs));
    return longest;
  }

  #take(bytes: number, nowMs: number): void {
    const costOf = this.#costs(bytes);
    for (const [name, bucket] of this.#buckets) bucket.take(costOf(name), nowMs);
  }
}

/** A device whose reads and changes wait for their turn; zeroing costs no throughput, flushing nothing at all. */
export class LimitedDevice implements BlockDevice {
  readonly #below: BlockDevice;
  readonly #limiter: VolumeLimiter;
  #isReleased = false;

  constructor(below: BlockDevice, limiter: VolumeLimiter) {
    this.#below = below;
    this.#limiter = limiter;
  }

  get sizeBytes(): number {
    return this.#below.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#below.readOnly;
  }

  /** It is about to be closed: what waits begins, and nothing waits any more. */
  release(): void {
    this.#isReleased = true;
    this.#limiter.release(this);
  }

  read(offsetBytes: number, target: Buffer): void | Promise<void> {
    if (this.#admit(target.length)) return this.#below.read(offsetBytes, target);
    return this.#limiter.later(this, target.length, () => this.#below.read(offsetBytes, target));
  }

  write(offsetBytes: number, data: Buffer): void | Promise<void> {
    if (this.#admit(data.length)) return this.#below.write(offsetBytes, data);
    return this.#limiter.later(this, data.length, () => this.#below.write(offsetBytes, data));
  }

  flush(): Promise<void> {
    return this.#below.flush();
  }

  trim(offsetBytes: number, lengthBytes: number): void | Promise<void> {
    if (this.#admit(0)) return this.#below.trim(offsetBytes, lengthBytes);
    return this.#limiter.later(this, 0, () => this.#below.trim(offsetBytes, lengthBytes));
  }

  writeZeroes(offsetBytes: number, lengthBytes: number, options: { mayTrim: boolean }): void | Promise<void> {
    if (this.#admit(0)) return this.#below.writeZeroes(offsetBytes, lengthBytes, options);
    return this.#limiter.later(this, 0, () => this.#below.writeZeroes(offsetBytes, lengthBytes, options));
  }

  extents(offsetBytes: number, lengthBytes: number): ReturnType<BlockDevice['extents']> {
    return this.#below.extents(offsetBytes, lengthBytes);
  }

  #admit(bytes: number): boolean {
    return this.#isReleased || this.#limiter.admit(bytes);
  }
}
