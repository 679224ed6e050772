/** A read that the page cache answers takes less than so many microseconds, and one more for each 2 KiB. */
const CACHED_US = 25;
const BYTES_PER_US = 2_048;
/** One stall must not look like a slow disk for long. */
const LONGEST_SAMPLE_US = 150;
const WEIGHT = 0.1;
/** While reads are quick, one in so many is timed: asking the clock twice takes a tenth of the time of a cached read. */
const TIMED_EVERY = 4;
/** While reads are slow, one in so many is made synchronously, to notice when they are not any more. */
const PROBE_EVERY = 64;

/**
 * Decides whether reads go through the thread pool. From the page cache a synchronous read is several times cheaper; from
 * a disk it would hold up everything else on the event loop (design of the data plane, "adaptive").
 */
export class ReadPace {
  #averageUs = 0;
  #count = 0;
  #untimed = 0;

  /** Whether the next read is better made off the event loop. */
  get isSlow(): boolean {
    return this.#averageUs > CACHED_US && ++this.#count % PROBE_EVERY !== 0;
  }

  /** Whether the next synchronous read is to be timed. One that was slow has the ones behind it timed as well. */
  get isTimed(): boolean {
    if (this.#untimed === 0) return true;
    this.#untimed--;
    return false;
  }

  /** The next synchronous read is of what was just brought into the page cache, and tells nothing. */
  skipNext(): void {
    this.#untimed = 1;
  }

  /** Notes how long a synchronous read took, in milliseconds. */
  note(elapsedMs: number, lengthBytes: number): void {
    const sampleUs = Math.min(LONGEST_SAMPLE_US, Math.max(0, elapsedMs * 1_000 - lengthBytes / BYTES_PER_US));
    this.#averageUs += WEIGHT * (sampleUs - this.#averageUs);
    this.#untimed = sampleUs > CACHED_US || this.#averageUs > CACHED_US ? 0 : TIMED_EVERY - 1;
  }
}
