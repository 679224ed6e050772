import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  claimStore,
  collectGarbage,
  digestOf,
  isWhole,
  listIndexes,
  makeDirectory,
  Manifest,
  rebuildIndex,
  SegmentBlockStore,
  StoreLayout,
  StoreUnavailable,
  takeOverStore,
  verifyStore,
} from '@holdfast/block-store';
import { FaultyObjects, MemoryObjects, newBlock, seededRandom } from '@holdfast/block-store/testing';
import { newSnapshotId, type SnapshotId } from '@holdfast/contracts';
import { createLogger } from '@holdfast/service-kit';
import { expect, it } from 'vitest';
import { IndexMirror } from './index-mirror.ts';

const STEPS = 60;
const FAULTS = { drops: 0.1, errors: 0.1, lostAnswers: 0.15, duplicates: 0.1 };
const logger = createLogger({ name: 'test', level: 'silent' });

/** Snapshots of hosts that are lost one after the other, over a bad network. */
class Life {
  readonly objects = new MemoryObjects();
  readonly faulty: FaultyObjects;
  readonly random: () => number;
  readonly blocks = new Map<SnapshotId, Buffer>();
  /** Those that somebody was told of. */
  readonly complete = new Set<SnapshotId>();
  layout = newHome();
  mirror: IndexMirror;

  constructor(seed: number) {
    this.random = seededRandom(seed);
    this.faulty = new FaultyObjects(this.objects, seed, FAULTS);
    this.mirror = this.#newMirror();
  }

  async begin(): Promise<void> {
    await claimStore(this.objects, this.layout.claim);
  }

  async step(): Promise<void> {
    const draw = this.random();
    const ids = [...this.blocks.keys()];
    const chosen = ids[Math.floor(this.random() * ids.length)];
    if (draw < 0.3 || chosen === undefined) await this.#take();
    else if (draw < 0.6) await this.#ask(chosen);
    else if (draw < 0.75) this.#remove(chosen);
    else if (draw < 0.9) await this.collect();
    else if (draw < 0.97) await this.#restart();
    else await this.#loseHost();
  }

  /** As `Snapshots` does it. */
  async collect(): Promise<void> {
    try {
      await this.mirror.assertOwn();
      for (const snapshotId of this.layout.snapshotIds() as SnapshotId[]) {
        const { removed, folder } = this.layout.snapshot(snapshotId);
        if (existsSync(removed) && (await this.mirror.remove(snapshotId))) rmSync(folder, { recursive: true });
      }
      await this.mirror.reconcile();
      await collectGarbage(this.layout, this.faulty);
    } catch (error) {
      if (!(error instanceof StoreUnavailable)) throw error;
    }
  }

  async end(): Promise<void> {
    this.faulty.faults = {};
    await this.#restart();
    await this.collect();
    const stored = (await listIndexes(this.objects)).filter(isWhole).map(({ snapshotId }) => snapshotId);
    expect(stored.sort()).toEqual([...this.blocks.keys()].sort());
    const store = new SegmentBlockStore(this.layout.blocks, this.objects);
    for (const [snapshotId, bytes] of this.blocks) {
      const digest = Manifest.read(this.layout.snapshot(snapshotId).manifest).digest(0);
      expect(digest !== undefined && (await store.get(digest)).equals(bytes)).toBe(true);
    }
    expect((await verifyStore(this.layout, this.objects)).findings).toEqual([]);
    rmSync(this.layout.root, { recursive: true });
  }

  #newMirror(): IndexMirror {
    return new IndexMirror(this.faulty, this.layout, logger);
  }

  /** What one process has on its way does not arrive in the time of the next. */
  async #restart(): Promise<void> {
    await this.mirror.settled();
    this.mirror = this.#newMirror();
  }

  async #take(): Promise<void> {
    const [snapshotId, bytes] = [newSnapshotId(), newBlock()];
    const digest = await digestOf(bytes);
    const store = new SegmentBlockStore(this.layout.blocks, this.objects);
    await store.put(digest, bytes);
    await store.settle();
    const { folder, manifest } = this.layout.snapshot(snapshotId);
    makeDirectory(folder);
    Manifest.of({ snapshotId, sizeGiB: 1, dataKey: null, parentSnapshotId: null }, [[0, digest]]).write(manifest);
    this.blocks.set(snapshotId, bytes);
  }

  async #ask(snapshotId: SnapshotId): Promise<void> {
    if (!this.mirror.isStored(snapshotId)) return;
    this.complete.add(snapshotId);
    expect((await listIndexes(this.objects, snapshotId)).filter(isWhole)).toHaveLength(1);
  }

  #remove(snapshotId: SnapshotId): void {
    writeFileSync(this.layout.snapshot(snapshotId).removed, '');
    this.blocks.delete(snapshotId);
    this.complete.delete(snapshotId);
  }

  async #loseHost(): Promise<void> {
    await this.mirror.settled();
    rmSync(this.layout.root, { recursive: true });
    this.layout = newHome();
    await takeOverStore(this.objects, this.layout.claim);
    const { snapshots, damaged } = await rebuildIndex(this.layout, this.objects);
    expect(damaged).toEqual([]);
    expect(snapshots).toEqual(expect.arrayContaining([...this.complete]));
    for (const snapshotId of [...this.blocks.keys()])
      if (!snapshots.includes(snapshotId)) this.blocks.delete(snapshotId);
    // Deleted, and the store was not told: it takes room, until somebody deletes it again.
    for (const snapshotId of snapshots as SnapshotId[]) if (!this.blocks.has(snapshotId)) this.#remove(snapshotId);
    expect(
      (await verifyStore(this.layout, this.objects)).findings.filter(({ kind }) => kind.startsWith('block')),
    ).toEqual([]);
    this.mirror = this.#newMirror();
  }
}

const newHome = (): StoreLayout => {
  const layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-mirror-life-')));
  for (const folder of [layout.volumes, layout.blocks, layout.snapshots]) makeDirectory(folder);
  return layout;
};

it.each(Array.from({ length: 6 }, (_, at) => at + 1))(
  'no snapshot that somebody was told of is lost with its host, and none that was deleted stays (seed %i)',
  { timeout: 120_000 },
  async (seed) => {
    const life = new Life(seed);
    await life.begin();
    for (let step = 0; step < STEPS; step++) await life.step();
    await life.end();
  },
);
