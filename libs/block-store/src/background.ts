import { setTimeout as sleep } from 'node:timers/promises';
import type { BackingFile, OpenFile } from './backing-file.ts';
import { openNodeFile } from './backing-file.ts';
import { existsSync } from 'node:fs';
import { DIGEST_BYTES, digestOf, type BlockStore } from './block-store.ts';
import type { Freeze } from './freeze.ts';
import { BLOCK_SIZE_BYTES, isZero } from './geometry.ts';
import type { VolumeFile } from './volume-file.ts';

/** Blocks copied between two commits of the journal, if the store has no wish: 8 MiB. */
const BATCH_BLOCKS = 16;

/** Blocks that are best copied into a store, or out of it, between two commits of a journal. */
export const batchBlocksOf = ({ batchBlocks = BATCH_BLOCKS }: BlockStore): number => batchBlocks;
/** The guest is busy if it used the device within so many milliseconds; copying then takes at most half of the time. */
const GUEST_BUSY_MS = 100;

/** Digests that a copy is about to put, in one write of fixed length, for a collector in another process to read. */
export class IntentFile {
  readonly #file: BackingFile;
  readonly #maxDigests: number;
  constructor(path: string, openFile: OpenFile = openNodeFile, maxDigests = BATCH_BLOCKS) {
    this.#file = openFile(path, existsSync(path) ? 'existing' : 'create');
    this.#maxDigests = maxDigests;
  }
  /** In place of those that were announced before. @throws RangeError for more than there is room for. */
  announce(digests: readonly Buffer[]): void {
    if (digests.length > this.#maxDigests) throw new RangeError(`${digests.length} digests at once`);
    const bytes = Buffer.alloc(this.#maxDigests * DIGEST_BYTES);
    digests.forEach((digest, place) => digest.copy(bytes, place * DIGEST_BYTES));
    this.#file.writeSync(bytes, 0);
  }
  close(): void {
    this.#file.close();
  }
}

/** So that a collector that runs meanwhile keeps them: announced first, put second; the caller journals them third. */
export const putBlocks = async (
  store: BlockStore,
  intent: IntentFile,
  blocks: readonly (readonly [digest: Buffer, content: Buffer])[],
): Promise<void> => {
  intent.announce(blocks.map(([digest]) => digest));
  const puts = await Promise.allSettled(blocks.map(([digest, content]) => store.put(digest, content)));
  // None goes on unannounced, nor is cut short by the end of its process, where a full disk needs what it leaves behind.
  const failed = puts.find((put) => put.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  await store.settle();
};

/** Puts what is not all zeros. @returns by block its digest, null for a hole: to be journalled. */
export const storeBlocks = async (
  store: BlockStore,
  intent: IntentFile,
  blocks: readonly (readonly [number, Buffer<ArrayBuffer>])[],
): Promise<(readonly [number, Buffer | null])[]> => {
  const named = await Promise.all(
    blocks.map(async ([block, content]) => [block, isZero(content) ? null : await digestOf(content)] as const),
  );
  const stored = named.flatMap(([, digest], place) => {
    const content = blocks[place]?.[1];
    return digest === null || content === undefined ? [] : [[digest, content] as const];
  });
  await putBlocks(store, intent, stored);
  return named;
};

/** What a volume has to do besides serving its guest: copying frozen blocks, fetching missing ones. */
export class BackgroundWork {
  readonly #volume: VolumeFile;
  readonly #signal: AbortSignal;
  #cursor = 0;

  constructor(volume: VolumeFile, signal: AbortSignal) {
    this.#volume = volume;
    this.#signal = signal;
  }

  get #batchBlocks(): number {
    return batchBlocksOf(this.#volume.store);
  }

  get isNeeded(): boolean {
    return this.#volume.freezes.length > 0 || this.#volume.hydrating;
  }

  /** Does one step, of some milliseconds. */
  async step(): Promise<void> {
    const startedMs = performance.now();
    const freeze = this.#volume.freezes[0];
    if (freeze !== undefined) await this.#copyFrozen(freeze);
    else if (this.#volume.hydrating) await this.#fetchMissing();
    const finishedMs = performance.now();
    const guestIsBusy = finishedMs - this.#volume.lastAccessMs < GUEST_BUSY_MS;
    const waits = this.#volume.freezes.some(({ spill }) => spill.size > 0);
    if (guestIsBusy && !waits)
      await sleep(finishedMs - startedMs, undefined, { signal: this.#signal }).catch(() => undefined);
  }

  async #copyFrozen(freeze: Freeze): Promise<void> {
    if (freeze.remaining === 0) {
      this.#volume.finishOldestFreeze();
      return;
    }
    const intent = new IntentFile(freeze.paths.intent, openNodeFile, this.#batchBlocks);
    try {
      const blocks = await this.#readBatch(freeze);
      await freeze.commit(await storeBlocks(this.#volume.store, intent, blocks));
      this.#volume.wake();
    } finally {
      intent.close();
    }
  }

  /** Spilled blocks first: the guest may be waiting for their room. */
  async #readBatch(freeze: Freeze): Promise<(readonly [number, Buffer<ArrayBuffer>])[]> {
    const spilled = freeze.spill.blocks().slice(0, this.#batchBlocks);
    const batch = await Promise.all(
      spilled.map(async (block) => {
        const content = Buffer.alloc(BLOCK_SIZE_BYTES);
        await freeze.spill.read(block, content);
        return [block, content] as const;
      }),
    );
    const pending = [];
    for (let at = freeze.pending.next(0); at !== -1 && pending.length + batch.length < this.#batchBlocks;) {
      pending.push(at);
      at = freeze.pending.next(at + 1);
    }
    const read = await Promise.all(pending.map((block) => this.#readPending(freeze, block)));
    return [...batch, ...read.filter((entry) => entry !== undefined)];
  }

  async #readPending(freeze: Freeze, block: number): Promise<readonly [number, Buffer<ArrayBuffer>] | undefined> {
    const content = Buffer.alloc(BLOCK_SIZE_BYTES);
    await this.#volume.prepareRead(block * BLOCK_SIZE_BYTES, BLOCK_SIZE_BYTES);
    await this.#volume.read(block * BLOCK_SIZE_BYTES, content);
    // The guest overwrote it meanwhile, and first put the frozen content into the spill file: the next batch takes it there.
    return freeze.pending.get(block) ? [block, content] : undefined;
  }

  async #fetchMissing(): Promise<void> {
    const { map } = this.#volume;
    if (map.missing === 0) return this.#volume.finishHydration();
    const batch = [];
    for (
      let at = map.nextMissing(this.#cursor);
      at !== -1 && batch.length < this.#batchBlocks;
      at = map.nextMissing(at + 1)
    ) {
      batch.push(at);
    }
    // The guest's accesses fetch blocks out of order, so what lies behind the cursor is looked at again at the end.
    this.#cursor = (batch.at(-1) ?? -1) + 1;
    await Promise.all(batch.map((block) => this.#volume.fetch(block)));
  }
}
