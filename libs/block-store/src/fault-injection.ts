import { setTimeout as sleep } from 'node:timers/promises';
import type { BlockDevice } from './block-device.ts';
import type { BlockStore } from './block-store.ts';

const PAGE_BYTES = 4_096;
const SECTOR_BYTES = 512;
/** What is kept to be lost, at most: more makes a flush of its own. */
const MAX_UNSYNCED_PAGES = 16_384;

/** What goes wrong, drawn from `seed` request by request: the same requests under the same seed fail alike. */
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

const inputOutputError = (what: string): Error => Object.assign(new Error(`injected: ${what}`), { code: 'EIO' });

/** For development and tests: a device and a store that fail as they are told to. Without a plan everything passes through. */
export class InjectedFaults {
  #plan: FaultPlan | null = null;
  #random: () => number = () => 1;
  /** By page: what it held at the last flush. */
  readonly #unsynced = new Map<number, Buffer>();

  /** Null: nothing fails any more. */
  set(plan: FaultPlan | null): void {
    this.#plan = plan;
    this.#random = plan === null ? () => 1 : seeded(plan.seed);
    this.#unsynced.clear();
  }

  /**
   * As if the power had failed: of the pages written since the last flush any may hold what they held before. The caller ends
   * the process afterwards, without flushing anything.
   */
  async losePower(device: BlockDevice): Promise<void> {
    for (const [page, before] of [...this.#unsynced].sort(([left], [right]) => left - right)) {
      if (this.#random() < 0.5) await device.write(page * PAGE_BYTES, before);
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
    const pass = (probability: ((plan: FaultPlan) => number | undefined) | null, what: string) =>
      this.#draw(probability, what);
    return {
      get sizeBytes() {
        return below.sizeBytes;
      },
      readOnly: below.readOnly,
      read: (offset, target) => {
        if (this.#plan === null) return below.read(offset, target);
        return pass(({ readErrors }) => readErrors, 'a read').then(() => below.read(offset, target));
      },
      write: (offset, data) => {
        if (this.#plan === null) return below.write(offset, data);
        return pass(({ writeErrors }) => writeErrors, 'a write').then(() => this.#write(below, offset, data));
      },
      flush: async () => {
        if (this.#plan !== null) await pass(({ flushErrors }) => flushErrors, 'a flush');
        // A write that comes meanwhile may be lost although this flush succeeds; its old content is kept anew.
        const synced = new Map(this.#unsynced);
        await below.flush();
        for (const [page, before] of synced) if (this.#unsynced.get(page) === before) this.#unsynced.delete(page);
      },
      trim: (offset, length) => this.#zero(below, offset, length, () => below.trim(offset, length)),
      writeZeroes: (offset, length, options) =>
        this.#zero(below, offset, length, () => below.writeZeroes(offset, length, options)),
      extents: (offset, length) => below.extents(offset, length),
    };
  }

  /** As many draws for each request, whatever comes of them, so that one request's fate does not change the next one's. */
  async #draw(probability: ((plan: FaultPlan) => number | undefined) | null, what: string): Promise<void> {
    const plan = this.#plan;
    const [delay, failure] = [this.#random(), this.#random()];
    if (plan === null) return;
    if (delay < (plan.delays ?? 0)) await sleep(plan.delayMs ?? 0);
    if (failure < (probability?.(plan) ?? 0)) throw inputOutputError(`${what} failed`);
  }

  async #write(below: BlockDevice, offset: number, data: Buffer): Promise<void> {
    const [isTorn, where] = [this.#random(), this.#random()];
    await this.#remember(below, offset, data.length);
    if (isTorn >= (this.#plan?.tornWrites ?? 0)) return void (await below.write(offset, data));
    const sectors = Math.floor(where * Math.ceil(data.length / SECTOR_BYTES));
    if (sectors > 0) await below.write(offset, data.subarray(0, sectors * SECTOR_BYTES));
    throw inputOutputError(`a write was torn after ${sectors} sectors`);
  }

  #zero(below: BlockDevice, offset: number, length: number, zero: () => void | Promise<void>): void | Promise<void> {
    if (this.#plan === null) return zero();
    return this.#draw(({ writeErrors }) => writeErrors, 'a write').then(async () => {
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
