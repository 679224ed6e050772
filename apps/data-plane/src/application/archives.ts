import { existsSync, readFileSync, rmSync } from 'node:fs';
import {
  BlockDamaged,
  type BlockStore,
  ManifestDamaged,
  restoreArchive,
  type StoreLayout,
  syncDirectory,
  writeArchive,
  writeIndexArchive,
} from '@holdfast/block-store';
import type { InternalRequests, SnapshotId } from '@holdfast/contracts';
import type { Logger } from '@holdfast/service-kit';
import { refusal } from '../errors.ts';
import { messageOf } from '../ipc.ts';
import type { IndexMirror } from './index-mirror.ts';

type Stored = InternalRequests['data-plane']['GetArchiveProgress']['out'];

interface Work {
  readonly kind: 'archive' | 'restore';
  readonly abort: AbortController;
  readonly done: Promise<void>;
  progress: number;
}

/**
 * The archive tier on this host: a snapshot's blocks as files of the store, in an archive of its own, or both. Moving them
 * needs no key, and what is dropped is dropped only while the other is there whole. In an object store the blocks stay where
 * they are, and an archive is an index of its own.
 */
export class Archives {
  readonly #work = new Map<SnapshotId, Work>();
  /** Why the latest work on a snapshot ended without success, until somebody is told. */
  readonly #failures = new Map<SnapshotId, string>();

  constructor(
    private readonly layout: StoreLayout,
    /** Made for each work: a reset of the host takes away the folder that one has begun in. */
    private readonly openStore: () => BlockStore,
    private readonly logger: Logger,
    private readonly onDropped: () => void,
    /** Of the object store, unless blocks are in a folder. */
    private readonly mirror?: IndexMirror,
  ) {}

  /** Begins to write the archive, unless it is there. Idempotent. @throws AwsError SnapshotNotFound */
  archive(snapshotId: SnapshotId): void {
    const paths = this.layout.snapshot(snapshotId);
    if (existsSync(paths.archive) || this.#work.has(snapshotId)) return;
    if (!this.#has(snapshotId, 'manifest')) throw notHere(snapshotId);
    const manifest = readFileSync(paths.manifest);
    this.#begin(snapshotId, 'archive', async (work) => {
      if (this.mirror !== undefined) writeIndexArchive(paths, manifest);
      else await writeArchive(paths, manifest, this.openStore(), work);
    });
  }

  /** Begins to put the blocks back, unless they are there. Idempotent. @throws AwsError SnapshotNotFound */
  restore(snapshotId: SnapshotId): void {
    const paths = this.layout.snapshot(snapshotId);
    if (this.#has(snapshotId, 'manifest') || this.#work.has(snapshotId)) return;
    if (!this.#has(snapshotId, 'archive')) throw notHere(snapshotId);
    this.#begin(snapshotId, 'restore', (work) => restoreArchive(paths, this.openStore(), work));
  }

  /** Drops what is not to be kept. Idempotent. @throws AwsError SnapshotNotFound when what is to be kept is not there. */
  release(snapshotId: SnapshotId, keep: 'archive' | 'blocks'): void {
    const paths = this.layout.snapshot(snapshotId);
    if (this.#work.has(snapshotId)) throw refusal('InProgress', `snapshot ${snapshotId} is being moved`);
    if (!this.#has(snapshotId, keep === 'archive' ? 'archive' : 'manifest')) throw notHere(snapshotId);
    if (this.mirror?.isStored(snapshotId) === false)
      throw refusal('InProgress', `snapshot ${snapshotId} is not in the block store yet`);
    rmSync(keep === 'archive' ? paths.manifest : paths.archive, { force: true });
    syncDirectory(paths.folder);
    this.onDropped();
  }

  /** A failure is told once: whoever asks for the move again begins it anew. */
  progress(snapshotId: SnapshotId): Stored {
    const work = this.#work.get(snapshotId);
    const failure = this.#failures.get(snapshotId);
    this.#failures.delete(snapshotId);
    const isStored = this.mirror?.isStored(snapshotId) ?? true;
    return {
      blocks: isStored && this.#has(snapshotId, 'manifest') && work?.kind !== 'restore',
      archive: isStored && this.#has(snapshotId, 'archive') && work?.kind !== 'archive',
      progress: work?.progress ?? 0,
      ...(failure === undefined ? {} : { failure }),
    };
  }

  /** Nobody works on it when it resolves: it is about to be removed. */
  async stop(snapshotId: SnapshotId): Promise<void> {
    const work = this.#work.get(snapshotId);
    work?.abort.abort();
    await work?.done;
    this.#failures.delete(snapshotId);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#work.keys()].map((snapshotId) => this.stop(snapshotId)));
  }

  #has(snapshotId: SnapshotId, what: 'manifest' | 'archive'): boolean {
    const paths = this.layout.snapshot(snapshotId);
    return existsSync(paths[what]) && !existsSync(paths.removed);
  }

  #begin(
    snapshotId: SnapshotId,
    kind: Work['kind'],
    run: (work: { signal: AbortSignal; onProgress(percent: number): void }) => Promise<void>,
  ): void {
    const abort = new AbortController();
    this.#failures.delete(snapshotId);
    const onProgress = (percent: number) => {
      work.progress = percent;
    };
    // Put into the map before the first step is taken.
    const done = Promise.resolve()
      .then(() => run({ signal: abort.signal, onProgress }))
      .catch((error: unknown) => this.#failed(snapshotId, error, abort.signal))
      .finally(() => this.#work.delete(snapshotId));
    const work: Work = { kind, abort, done, progress: 0 };
    this.#work.set(snapshotId, work);
  }

  /** What trying again does not mend is told; a full disk, say, is tried again when it is asked for. */
  #failed(snapshotId: SnapshotId, error: unknown, signal: AbortSignal): void {
    if (signal.aborted) return;
    this.logger.warn({ snapshotId, reason: messageOf(error) }, 'moving a snapshot between tiers failed');
    if (error instanceof BlockDamaged || error instanceof ManifestDamaged)
      this.#failures.set(snapshotId, error.message);
  }
}

const notHere = (snapshotId: SnapshotId) =>
  refusal('SnapshotNotFound', `snapshot ${snapshotId} is not on this host in that tier`);
