import { existsSync, statSync } from 'node:fs';
import {
  assertOwnStore,
  INDEX_KINDS,
  indexHere,
  type IndexKind,
  isWhole,
  listIndexes,
  type ObjectStore,
  putIndex,
  removeIndexes,
  type StoredIndex,
  type StoreLayout,
  StoreUnavailable,
} from '@holdfast/block-store';
import { type SnapshotId, snapshotId as parseSnapshotId } from '@holdfast/contracts';
import type { Logger } from '@holdfast/service-kit';
import { messageOf } from '../ipc.ts';
import { Serial } from '../serial.ts';

/** The object store has snapshots that this host does not know: it may have lost them, and nothing there may be removed. */
export class UnknownSnapshots extends Error {
  override readonly name = 'UnknownSnapshots';
  constructor(ids: readonly string[]) {
    const shown = ids.slice(0, 10).join(', ');
    super(
      `the block store has ${String(ids.length)} snapshots that this host has lost: holdfast blocks reindex (${shown})`,
    );
  }
}

const CONCURRENCY = 8;
/** Of a request that was given up and may arrive nevertheless: longer than the client waits for an answer. */
const LATE_MS = 120_000;

const nameOf = (snapshotId: SnapshotId, kind: IndexKind): string => `${snapshotId}/${kind}`;
const otherOf = (kind: IndexKind): IndexKind => (kind === 'manifest' ? 'archive' : 'manifest');

/**
 * Keeps the block indexes of all snapshots of this host in its object store as well: an index is there before anybody is told
 * that the snapshot is complete, and is gone from there before it goes from here. What is removed there is only what this
 * host knows to be deleted; nothing is taken for deleted because it is not here.
 */
export class IndexMirror {
  /** Indexes that are known to be in the store. */
  readonly #stored = new Set<string>();
  /** Snapshots removed by this process, of which a listing begun before may still tell. */
  readonly #gone = new Set<SnapshotId>();
  /** When putting a snapshot's index failed last. */
  readonly #failedMs = new Map<SnapshotId, number>();
  readonly #storing = new Map<SnapshotId, Promise<void>>();
  readonly #serial = new Serial<SnapshotId>();

  constructor(
    readonly objects: ObjectStore,
    private readonly layout: StoreLayout,
    private readonly logger: Logger,
  ) {}

  /** Whether all that the snapshot is read by is in the store; begins to put it there. */
  isStored(snapshotId: SnapshotId): boolean {
    const isMissing = INDEX_KINDS.some((kind) => this.#isMissing(snapshotId, kind));
    if (isMissing && !this.#storing.has(snapshotId)) {
      const storing = this.#store(snapshotId)
        .catch((error: unknown) =>
          this.logger.warn({ snapshotId, reason: messageOf(error) }, 'a block index is not in the block store yet'),
        )
        .finally(() => this.#storing.delete(snapshotId));
      this.#storing.set(snapshotId, storing);
    }
    return !isMissing;
  }

  /**
   * Of a snapshot that is marked as removed. @returns false: it is to be called again later, before its folder is removed.
   * @throws StoreUnavailable
   */
  remove(snapshotId: SnapshotId): Promise<boolean> {
    return this.#serial.run(snapshotId, async () => {
      await removeIndexes(this.objects, await listIndexes(this.objects, snapshotId));
      for (const kind of INDEX_KINDS) this.#stored.delete(nameOf(snapshotId, kind));
      if (performance.now() - (this.#failedMs.get(snapshotId) ?? -Infinity) < LATE_MS) return false;
      this.#failedMs.delete(snapshotId);
      this.#gone.add(snapshotId);
      return true;
    });
  }

  /**
   * Looks at what the store has, puts there what is missing, and removes what a snapshot has left there with its tier.
   * @throws UnknownSnapshots, after all that; StoreUnavailable
   */
  async reconcile(): Promise<void> {
    const before = new Set(this.#stored);
    const listed = await listIndexes(this.objects);
    const names = new Set(listed.filter(isWhole).map(({ snapshotId, kind }) => `${snapshotId}/${kind}`));
    // Somebody took it away.
    for (const name of before) if (!names.has(name)) this.#stored.delete(name);
    const unknown = new Set<string>();
    await eachOf(listed, async (index) => {
      const snapshotId = parseSnapshotId(index.snapshotId);
      if (!(await this.#serial.run(snapshotId, () => this.#compare(snapshotId, index)))) unknown.add(snapshotId);
    });
    const here = this.layout.snapshotIds().map(parseSnapshotId);
    await eachOf(here, (snapshotId) =>
      this.#store(snapshotId).catch((error: unknown) => {
        if (error instanceof StoreUnavailable) throw error;
        this.logger.error({ err: error, snapshotId }, 'a block index can not be put into the block store');
      }),
    );
    if (unknown.size > 0) throw new UnknownSnapshots([...unknown].sort());
  }

  /** Before anything is removed. @throws ForeignStore, StoreUnavailable */
  assertOwn(): Promise<void> {
    return assertOwnStore(this.objects, this.layout.claim);
  }

  /** What `isStored` began has ended, well or not. */
  async settled(): Promise<void> {
    await Promise.all(this.#storing.values());
  }

  /** Development reset: everything is to be looked at again. */
  reset(): void {
    this.#stored.clear();
  }

  /** @returns false: it is of a snapshot that is not here and was not removed here. */
  async #compare(snapshotId: SnapshotId, index: StoredIndex): Promise<boolean> {
    const paths = this.layout.snapshot(snapshotId);
    const { kind, sizeBytes } = index;
    if (existsSync(paths.removed)) return true; // It goes with the rest of it.
    if (this.#gone.has(snapshotId)) {
      await removeIndexes(this.objects, [index]);
      return true;
    }
    const file = statSync(paths[kind], { throwIfNoEntry: false });
    if (file !== undefined) {
      if (isWhole(index) && file.size === sizeBytes) this.#stored.add(nameOf(snapshotId, kind));
      return true;
    }
    // Begun, and never whole: it is nothing that anybody was told of.
    if (!isWhole(index)) return true;
    const isElsewhere = existsSync(paths[otherOf(kind)]) && this.#stored.has(nameOf(snapshotId, otherOf(kind)));
    if (!isElsewhere) return existsSync(paths[otherOf(kind)]);
    await removeIndexes(this.objects, [index]);
    this.#stored.delete(nameOf(snapshotId, kind));
    return true;
  }

  #isMissing(snapshotId: SnapshotId, kind: IndexKind): boolean {
    return existsSync(this.layout.snapshot(snapshotId)[kind]) && !this.#stored.has(nameOf(snapshotId, kind));
  }

  #store(snapshotId: SnapshotId): Promise<void> {
    return this.#serial.run(snapshotId, async () => {
      const paths = this.layout.snapshot(snapshotId);
      for (const kind of INDEX_KINDS) {
        if (!this.#isMissing(snapshotId, kind) || existsSync(paths.removed)) continue;
        const bytes = indexHere(paths, snapshotId, kind);
        try {
          if (bytes !== null) await putIndex(this.objects, snapshotId, kind, bytes);
        } catch (error) {
          if (error instanceof StoreUnavailable) this.#failedMs.set(snapshotId, performance.now());
          throw error;
        }
        // An archive with blocks of its own stays where it is.
        this.#stored.add(nameOf(snapshotId, kind));
      }
    });
  }
}

/** Stops at the first failure, and leaves nothing under way. */
const eachOf = async <Item>(items: readonly Item[], work: (item: Item) => Promise<void>): Promise<void> => {
  const left = items[Symbol.iterator]();
  const failures: unknown[] = [];
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let next = left.next(); next.done !== true && failures.length === 0; next = left.next())
        await work(next.value).catch((error: unknown) => failures.push(error));
    }),
  );
  if (failures.length > 0) throw failures[0];
};
