import { ObjectMissing, type ObjectStore } from './object-store.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { type BlockPlace, blocksOfSegment, linkTarget, offsetOfPlace, segmentKey } from './segment.ts';

/** Blocks that one request asks for at most: 16 MiB. */
const MAX_RUN = 32;
/** Requests at once: what they bring has 64 MiB, and as much again once it is given to those who asked. */
const MAX_REQUESTS = 4;
/** Blocks kept that were read ahead and nobody has asked for yet: 16 MiB. */
const MAX_KEPT = 32;
const MAX_AHEAD = 16;

interface Wanted extends BlockPlace {
  readonly resolve: (bytes: Buffer<ArrayBuffer>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Reads blocks out of segments with as few requests as it can: blocks that lie side by side and are asked for together come
 * together, and who reads on gets some that follow. Memory is bounded however much is asked for at once. Every reader of a
 * block gets memory of its own.
 */
export class SegmentReader {
  readonly #objects: Pick<ObjectStore, 'get'>;
  #waiting: Wanted[] = [];
  readonly #runs: Wanted[][] = [];
  #requests = 0;
  #isScheduled = false;
  /** In the order in which they came. */
  readonly #kept = new Map<string, Buffer<ArrayBuffer>>();
  /** By the place after the last one read: how much was read ahead. */
  readonly #next = new Map<string, number>();

  constructor(objects: Pick<ObjectStore, 'get'>) {
    this.#objects = objects;
  }

  /** @throws ObjectMissing, StoreUnavailable */
  read(place: BlockPlace): Promise<Buffer<ArrayBuffer>> {
    const key = linkTarget(place);
    const kept = this.#kept.get(key);
    if (kept !== undefined) {
      this.#kept.delete(key);
      return Promise.resolve(kept);
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ ...place, resolve, reject });
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      setImmediate(() => {
        this.#isScheduled = false;
        this.#arrange();
      });
    });
  }

  /** Nothing that was read ahead is used any more: it may be damaged. */
  forget(): void {
    this.#kept.clear();
  }

  #arrange(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    waiting.sort((left, right) => left.segment.localeCompare(right.segment) || left.place - right.place);
    let run: Wanted[] = [];
    for (const wanted of waiting) {
      const [first, last] = [run[0], run.at(-1)];
      const follows = last?.segment === wanted.segment && wanted.place - last.place <= 1;
      if (!follows || wanted.place - (first?.place ?? 0) >= MAX_RUN) {
        if (run.length > 0) this.#runs.push(run);
        run = [];
      }
      run.push(wanted);
    }
    if (run.length > 0) this.#runs.push(run);
    this.#pump();
  }

  #pump(): void {
    while (this.#requests < MAX_REQUESTS) {
      const run = this.#runs.shift();
      if (run === undefined) return;
      this.#requests++;
      void this.#fetch(run).finally(() => {
        this.#requests--;
        this.#pump();
      });
    }
  }

  async #fetch(run: readonly Wanted[]): Promise<void> {
    const [first, last] = [run[0], run.at(-1)];
    if (first === undefined || last === undefined) return;
    const { segment } = first;
    try {
      const end = last.place + 1 + this.#aheadOf(first, last);
      const from = offsetOfPlace(first.place);
      const bytes = await this.#objects.get(segmentKey(segment), from, offsetOfPlace(end) - from);
      const isThere = (place: number) => offsetOfPlace(place + 1) - from <= bytes.length;
      const block = (place: number) => {
        const at = offsetOfPlace(place) - from;
        const copy = Buffer.from(new ArrayBuffer(BLOCK_SIZE_BYTES));
        copy.set(bytes.subarray(at, at + BLOCK_SIZE_BYTES));
        return copy;
      };
      for (const { place, resolve, reject } of run) {
        if (isThere(place)) resolve(block(place));
        else reject(new ObjectMissing(`${segmentKey(segment)}: it ends before block ${place}`));
      }
      for (let place = last.place + 1; place < end && isThere(place); place++)
        this.#keep(linkTarget({ segment, place }), block(place));
    } catch (error) {
      for (const { reject } of run) reject(error);
    }
  }

  /** Twice as many as the last time for who goes on where a read ended, none for others. */
  #aheadOf(first: BlockPlace, last: BlockPlace): number {
    const { segment } = first;
    const count = blocksOfSegment(segment) ?? 0;
    const before = this.#next.get(linkTarget(first));
    this.#next.delete(linkTarget(first));
    const room = Math.max(0, Math.min(MAX_RUN - (last.place - first.place + 1), count - last.place - 1));
    const ahead = before === undefined ? 0 : Math.min(room, MAX_AHEAD, Math.max(2, 2 * before));
    const next = last.place + 1 + ahead;
    if (next < count) this.#next.set(linkTarget({ segment, place: next }), ahead);
    for (const oldest of this.#next.keys()) {
      if (this.#next.size <= MAX_KEPT) break;
      this.#next.delete(oldest);
    }
    return ahead;
  }

  #keep(key: string, bytes: Buffer<ArrayBuffer>): void {
    this.#kept.delete(key);
    this.#kept.set(key, bytes);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= MAX_KEPT) return;
      this.#kept.delete(oldest);
    }
  }
}
