/** How often something may be asked for: bursts of so many, and so many a second in the long run. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  filledAtMs: number;
}

/** Buckets that are kept; one that is forgotten is full again, which a bucket unused for as long as the oldest nearly is. */
const MAX_BUCKETS = 100_000;

/** Token buckets by name. They belong to this process: replicas each have their own. */
export class TokenBuckets {
  private readonly buckets = new Map<string, Bucket>();

  constructor(private readonly monotonicMs: () => number = () => performance.now()) {}

  /** Takes one token; false when there is none. */
  take(name: string, { perSecond, burst }: Rate): boolean {
    const nowMs = this.monotonicMs();
    const { tokens, filledAtMs } = this.buckets.get(name) ?? { tokens: burst, filledAtMs: nowMs };
    const filled = Math.min(burst, tokens + ((nowMs - filledAtMs) / 1000) * perSecond);
    const isTaken = filled >= 1;
    this.buckets.delete(name);
    this.buckets.set(name, { tokens: isTaken ? filled - 1 : filled, filledAtMs: nowMs });
    if (this.buckets.size > MAX_BUCKETS) {
      const [oldest] = this.buckets.keys();
      if (oldest !== undefined) this.buckets.delete(oldest);
    }
    return isTaken;
  }
}
