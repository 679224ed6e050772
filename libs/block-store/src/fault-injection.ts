import { setTimeout as sleep } from 'node:timers/promises';
import type { BlockDevice } from './block-device.ts';
import type { BlockStore } from './block-store.ts';

const PAGE_BYTES = 4_096;
const SECTOR_BYTES = 512;
/** What is kept to be lost, at most: more makes a flush of its own. */
const MAX_UNSYNCED_PAGES = 16_384;

/**
 * What goes wrong, drawn from `seed` for each request: by what it asks for, where, and how many of its kind came before. So the
 * same requests under the same seed fail alike, also when several are under way and overtake each other.
 */
export interface FaultPlan {
  readonly seed: number;
  /** Probabilities, 0 to 1, that a request fails with EIO. */
  readonly readErrors?: number;
  readonly writeErrors?: number;
  readonly flushErrors?: number;
  /** Probability that of a write only the first sectors arrive, and the request fails with EIO. */
  readonly tornWrites?: number;
  /** Probability that a request waits, and how long. */
  readonly delays?: number;
  readonly delayMs?: number;
  /** Blocks of snapshots can be neither read nor stored. */
  readonly storeUnavailable?: boolean;
  /** Keeps what writes replace until the next flush, so that `losePower` can take them back. */
  readonly loseUnsyncedWrites?: boolean;
}

/** Mulberry32. */
const seeded = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

/** One number of 32 bits of several whole ones; each of their bits matters (MurmurHash3). */
const mixed = (...numbers: readonly number[]): number => {
  let hash = 0;
  for (const number of numbers.flatMap((whole) => [whole, Math.floor(whole / 4_294_967_296)])) {
    const part = Math.imul(number, 0xcc9e2d51);
    hash ^= Math.imul((part << 15) | (part >>> 17), 0x1b873593);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
};

const REQUESTS = { read: 1, write: 2, flush: 3, trim: 4, writeZeroes: 5 } as const;
const POWER = 6;
/** Requests are counted in so many places; two that share one depend on each other's order. */
const COUNTERS = 1 << 20;

/** All that is left to chance about one request, each from 0 to 1. */
interface Fate {
  readonly delay: number;
  readonly failure: number;
  readonly tear: number;
  readonly tearAt: number;
}

const inputOutputError = (what: string): Error => Object.assign(new Error(`injected: ${what}`), { code: 'EIO' });

/** Waits, and fails, as it was drawn. @throws Error EIO */
const meet = async (plan: FaultPlan, fate: Fate, failures: number | undefined, what: string): Promise<void> => {
  if (fate.delay < (plan.delays ?? 0)) await sleep(plan.delayMs ?? 0);
  if (fate.failure < (failures ?? 0)) throw inputOutputError(`${what} failed`);
};

/** For development and tests: a device and a store that fail as they are told to. Without a plan everything passes through. */
export class InjectedFaults {
  #plan: FaultPlan | null = null;
  #counters = new Uint32Array(0);
  /** By page: what it held at the last flush. */
  readonly #unsynced = new Map<number, Buffer>();

  /** Null: nothing fails any more. */
  set(plan: FaultPlan | null): void {
    this.#plan = plan;
    this.#counters = new Uint32Array(plan === null ? 0 : COUNTERS);
    this.#unsynced.clear();
  }

  /**
   * As if the power had failed: of the pages written since the last flush any may hold what they held before. The caller ends
   * the process afterwards, without flushing anything.
   */
  async losePower(device: BlockDevice): Promise<void> {
    for (const [page, before] of this.#unsynced) {
      if (seeded(mixed(this.#plan?.seed ?? 0, POWER, page))() < 0.5) await device.write(page * PAGE_BYTES, before);
    }
    this.#unsynced.clear();
  }

  store(below: BlockStore): BlockStore {
    const check = () => {
      if (this.#plan?.storeUnavailable === true) throw inputOutputError('the block store is unavailable');
    };
    return {
      ...(below.batchBlocks === undefined ? {} : { batchBlocks: below.batchBlocks }),
      put: async (digest, bytes) => {
        check();
        await below.put(digest, bytes);
      },
      settle: () => below.settle(),
      get: async (digest) => {
        check();
        return below.get(digest);
      },
    };
  }

  device(below: BlockDevice): BlockDevice {
    return {
      get sizeBytes() {
        return below.sizeBytes;
      },
      readOnly: below.readOnly,
      read: (offset, target) => {
        const plan = this.#plan;
        if (plan === null) return below.read(offset, target);
        const fate = this.#fate(plan, 'read', offset, target.length);
        return meet(plan, fate, plan.readErrors, 'a read').then(() => below.read(offset, target));
      },
      write: (offset, data) => {
        const plan = this.#plan;
        if (plan === null) return below.write(offset, data);
        const fate = this.#fate(plan, 'write', offset, data.length);
        return meet(plan, fate, plan.writeErrors, 'a write').then(() =>
          this.#write(below, offset, data, { plan, fate }),
        );
      },
      flush: async () => {
        const plan = this.#plan;
        if (plan !== null) await meet(plan, this.#fate(plan, 'flush', 0, 0), plan.flushErrors, 'a flush');
        // A write that comes meanwhile may be lost although this flush succeeds; its old content is kept anew.
        const synced = new Map(this.#unsynced);
        await below.flush();
        for (const [page, before] of synced) if (this.#unsynced.get(page) === before) this.#unsynced.delete(page);
      },
      trim: (offset, length) => this.#zero(below, 'trim', offset, length, () => below.trim(offset, length)),
      writeZeroes: (offset, length, options) =>
        this.#zero(below, 'writeZeroes', offset, length, () => below.writeZeroes(offset, length, options)),
      extents: (offset, length) => below.extents(offset, length),
    };
  }

  /** To be asked for when a request comes, before anything is waited for. */
  #fate(plan: FaultPlan, request: keyof typeof REQUESTS, offset: number, length: number): Fate {
    const kind = REQUESTS[request];
    const counter = mixed(kind, offset, length) % COUNTERS;
    const nth = (this.#counters[counter] ?? 0) + 1;
    this.#counters[counter] = nth;
    const random = seeded(mixed(plan.seed, kind, offset, length, nth));
    return { delay: random(), failure: random(), tear: random(), tearAt: random() };
  }

  async #write(
    below: BlockDevice,
    offset: number,
    data: Buffer,
    { plan, fate }: { plan: FaultPlan; fate: Fate },
  ): Promise<void> {
    await this.#remember(below, offset, data.length);
    if (fate.tear >= (plan.tornWrites ?? 0)) return void (await below.write(offset, data));
    const sectors = Math.floor(fate.tearAt * Math.ceil(data.length / SECTOR_BYTES));
    if (sectors > 0) await below.write(offset, data.subarray(0, sectors * SECTOR_BYTES));
    throw inputOutputError(`a write was torn after ${sectors} sectors`);
  }

  #zero(
    below: BlockDevice,
    request: 'trim' | 'writeZeroes',
    offset: number,
    length: number,
    zero: () => void | Promise<void>,
  ): void | Promise<void> {
    const plan = this.#plan;
    if (plan === null) return zero();
    return meet(plan, this.#fate(plan, request, offset, length), plan.writeErrors, 'a write').then(async () => {
      await this.#remember(below, offset, length);
      await zero();
    });
  }

  async #remember(below: BlockDevice, offset: number, length: number): Promise<void> {
    if (this.#plan?.loseUnsyncedWrites !== true || length === 0) return;
    const [first, last] = [Math.floor(offset / PAGE_BYTES), Math.floor((offset + length - 1) / PAGE_BYTES)];
    if (last - first + this.#unsynced.size >= MAX_UNSYNCED_PAGES) {
      await below.flush();
      this.#unsynced.clear();
      if (last - first >= MAX_UNSYNCED_PAGES) return;
    }
    for (let page = first; page <= last; page++) {
      if (this.#unsynced.has(page)) continue;
      const before = Buffer.alloc(PAGE_BYTES);
      await below.read(page * PAGE_BYTES, before);
      if (!this.#unsynced.has(page)) this.#unsynced.set(page, before);
    }
  }
}
