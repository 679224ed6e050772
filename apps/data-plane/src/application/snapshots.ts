import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import {
  collectGarbage,
  type CopyJob,
  createCopyJob,
  discardJobFiles,
  type FreezeJob,
  journalLength,
  makeDirectory,
  Manifest,
  readVolumeHeader,
  type SnapshotPaths,
  type StoreLayout,
  StoreUnavailable,
  syncDirectory,
  type UploadJob,
  writeFileDurably,
} from '@holdfast/block-store';
import {
  type InternalRequests,
  snapshotId as parseSnapshotId,
  type SnapshotId,
  type WrappedDataKey,
} from '@holdfast/contracts';
import type { Logger } from '@holdfast/service-kit';
import { refusal } from '../errors.ts';
import { HOST_ERRORS } from '../host-protocol.ts';
import { messageOf, PeerError } from '../ipc.ts';
import { keyReference } from './allocate-volume.ts';
import type { HostTasks } from './host-tasks.ts';
import type { IndexMirror } from './index-mirror.ts';

type CopyRequest = InternalRequests['data-plane']['StartSnapshotCopy']['in'];
type Progress = InternalRequests['data-plane']['GetSnapshotProgress']['out'];

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 30_000;
/** Removals in quick succession are followed by one collection. */
const COLLECT_AFTER_MS = 1_000;
/** While the object store is away, or has more to be moved than one collection does. */
const COLLECT_AGAIN_MS = 30_000;
/** In the object store. */
const REMOVED_AT_ONCE = 16;
/** How often it is looked whether a volume has got all blocks that a removed snapshot may have left. */
const RESTORES_MS = 2_000;
/** AWS's status messages of a copy that failed (facts/03, CopySnapshot). */
const REASON_KEY = 'Given key ID is not accessible';
const REASON_VOLUME = 'The volume was lost before its blocks were copied';
const REASON_SOURCE = 'Source snapshot is not found';

/** What is different about snapshots whose blocks a client puts (`BlockUploads`). */
export interface UploadWork {
  resume(snapshotId: SnapshotId, job: UploadJob): void;
  progress(snapshotId: SnapshotId): number;
  /** Afterwards no process has the upload's files open. */
  closeBlocks(snapshotId: SnapshotId): Promise<void>;
}

/** Snapshots on this host: their copies, their progress, their removal. Their state is what lies in their folders. */
export class Snapshots {
  readonly #copies = new Map<SnapshotId, { abort: AbortController; done: Promise<void> }>();
  #collectTimer: NodeJS.Timeout | undefined;
  #restoresTimer: NodeJS.Timeout | undefined;
  #collecting: Promise<void> = Promise.resolve();
  #closing = false;

  constructor(
    private readonly layout: StoreLayout,
    private readonly tasks: HostTasks,
    private readonly logger: Logger,
    private readonly uploads: UploadWork,
    /** Of the object store that the segments are in, unless blocks are in a folder. */
    private readonly mirror?: IndexMirror,
  ) {}

  /** Goes on with the copies that a restart interrupted, and finishes removals. */
  resume(): void {
    makeDirectory(this.layout.snapshots);
    for (const snapshotId of this.layout.snapshotIds().map(parseSnapshotId)) {
      const paths = this.layout.snapshot(snapshotId);
      if (existsSync(paths.removed)) this.remove(snapshotId);
      else if (existsSync(paths.job) && !existsSync(paths.manifest) && !existsSync(paths.failed)) {
        const job = readJob(paths);
        if (job.kind === 'copy') this.#startCopy(job.request);
        else if (job.kind === 'upload') this.uploads.resume(snapshotId, job);
        else if (readVolumeHeader(this.layout, job.header.volumeId ?? '') === null) this.#fail(paths, REASON_VOLUME);
      }
    }
    this.#collectSoon();
  }

  /** Durable when it settles; failures show in the progress. Idempotent. */
  async startCopy(request: CopyRequest): Promise<void> {
    const { snapshotId, source, dataKey } = request;
    const paths = this.layout.snapshot(snapshotId);
    if ([paths.manifest, paths.job, paths.failed, paths.removed].some((path) => existsSync(path))) return;
    makeDirectory(paths.folder);
    const sourcePaths = this.layout.snapshot(source.snapshotId);
    if (!existsSync(sourcePaths.manifest) || existsSync(sourcePaths.removed)) return this.#fail(paths, REASON_SOURCE);
    const manifest = Manifest.read(sourcePaths.manifest);
    const { sizeGiB, dataKey: sourceKey } = manifest.header;
    const header = { snapshotId, sizeGiB, parentSnapshotId: null };
    if (sourceKey?.dataKeyId !== source.dataKey?.dataKeyId || (sourceKey !== null && dataKey === undefined)) {
      return this.#fail(paths, REASON_KEY);
    }
    if (sourceKey?.dataKeyId === dataKey?.dataKeyId && request.ownContext === undefined) {
      // The same blocks under the same data key: only the index is new.
      const reference = dataKey === undefined || sourceKey === null ? null : keyReference(dataKey, sourceKey.keyCheck);
      manifest.withHeader({ ...header, dataKey: reference }).write(paths.manifest);
      return;
    }
    const { previousCopy } = request;
    const previous = previousCopy === undefined ? null : this.layout.snapshot(previousCopy);
    createCopyJob<CopyRequest>(paths, { kind: 'copy', header, request }, sourcePaths.manifest, previous);
    this.#startCopy(request);
  }

  progress(snapshotId: SnapshotId): Progress {
    const paths = this.layout.snapshot(snapshotId);
    if (existsSync(paths.removed)) return { state: 'unknown', progress: 0 };
    if (existsSync(paths.manifest) || existsSync(paths.archive)) {
      const isDone = this.mirror?.isStored(snapshotId) ?? true;
      return isDone ? { state: 'completed', progress: 100 } : { state: 'copying', progress: 99 };
    }
    if (existsSync(paths.failed)) {
      const { reason } = JSON.parse(readFileSync(paths.failed, 'utf8')) as { reason: string };
      return { state: 'failed', progress: 0, reason };
    }
    try {
      const job = readJob(paths);
      if (job.kind === 'upload') return { state: 'copying', progress: Math.min(99, this.uploads.progress(snapshotId)) };
      const total = job.kind === 'freeze' ? job.copyCount : Manifest.read(paths.base).length;
      const done = existsSync(paths.journal) ? journalLength(statSync(paths.journal).size) : 0;
      return { state: 'copying', progress: total === 0 ? 99 : Math.min(99, Math.floor((100 * done) / total)) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      // It was completed between the two looks, or was never begun.
      return existsSync(paths.manifest) ? this.progress(snapshotId) : { state: 'unknown', progress: 0 };
    }
  }

  /** As it was wrapped for the snapshot. @throws AwsError SnapshotNotFound, as long as it is not complete. */
  dataKeyOf(snapshotId: SnapshotId): WrappedDataKey | null {
    const { manifest, removed } = this.layout.snapshot(snapshotId);
    if (!existsSync(manifest) || existsSync(removed))
      throw refusal('SnapshotNotFound', `no snapshot ${snapshotId} here`);
    const { dataKey } = Manifest.read(manifest).header;
    if (dataKey === null) return null;
    const { keyArn, encryptedDataKey, encryptionContext, dataKeyId } = dataKey;
    return { keyArn, encryptedDataKey, encryptionContext, dataKeyId };
  }

  /** Idempotent. Blocks that nothing else names are collected soon. */
  remove(snapshotId: SnapshotId): void {
    const paths = this.layout.snapshot(snapshotId);
    if (!existsSync(paths.folder)) return;
    writeFileDurably(paths.removed, '');
    this.#copies.get(snapshotId)?.abort.abort();
    const underWay = kindOfJob(paths);
    if (underWay === 'upload' && !existsSync(paths.manifest)) return this.#removeUpload(snapshotId, paths);
    // The volume's host is still copying, or clearing up after it, and later snapshots may build on this one: it drops it at
    // the end. It looks for `removed` after it has let go of the job.
    // What an object store has of it goes first, with the collection.
    if (this.mirror === undefined && (underWay !== 'freeze' || existsSync(paths.failed))) {
      rmSync(paths.manifest, { force: true });
      syncDirectory(paths.folder);
      if (!this.#copies.has(snapshotId)) rmSync(paths.folder, { recursive: true, force: true });
    }
    this.#collectSoon();
  }

  /** It can't become complete. */
  fail(snapshotId: SnapshotId, reason: string): void {
    const paths = this.layout.snapshot(snapshotId);
    if (existsSync(paths.folder) && !existsSync(paths.manifest)) this.#fail(paths, reason);
  }

  async close(): Promise<void> {
    this.#closing = true;
    clearTimeout(this.#collectTimer);
    clearTimeout(this.#restoresTimer);
    for (const { abort } of this.#copies.values()) abort.abort();
    await Promise.all([...this.#copies.values()].map(({ done }) => done));
    await this.#collecting;
  }

  /** Development reset, once everything is closed: begin anew. */
  reopen(): void {
    this.#closing = false;
  }

  /** Blocks that nothing names any more go soon. */
  collect(): void {
    this.#collectSoon();
  }

  #removeUpload(snapshotId: SnapshotId, paths: SnapshotPaths): void {
    this.uploads
      .closeBlocks(snapshotId)
      .then(() => rmSync(paths.folder, { recursive: true, force: true }))
      .catch((error: unknown) => this.logger.warn({ err: error, snapshotId }, 'an upload is removed after a restart'))
      .finally(() => this.#collectSoon());
  }

  #startCopy(request: CopyRequest): void {
    const { snapshotId } = request;
    const abort = new AbortController();
    const done = this.#copy(request, abort.signal)
      .catch((error: unknown) => this.logger.error({ err: error, snapshotId }, 'a copy ended'))
      .finally(() => {
        this.#copies.delete(snapshotId);
        if (existsSync(this.layout.snapshot(snapshotId).removed)) this.remove(snapshotId);
      });
    this.#copies.set(snapshotId, { abort, done });
  }

  async #copy(request: CopyRequest, signal: AbortSignal): Promise<void> {
    const { snapshotId, source, dataKey, ownContext } = request;
    const paths = this.layout.snapshot(snapshotId);
    const job = readJob(paths);
    if (job.kind !== 'copy' || dataKey === undefined) throw new Error(`${paths.job} is not the job of a copy`);
    for (let retryMs = FIRST_RETRY_MS; !signal.aborted; retryMs = Math.min(LAST_RETRY_MS, 2 * retryMs)) {
      try {
        await this.tasks.reEncryptSnapshot(job.header, source.dataKey, dataKey, signal, ownContext);
        return;
      } catch (error) {
        if (signal.aborted) return;
        this.logger.warn({ snapshotId, reason: messageOf(error) }, 'copying a snapshot failed');
        const reason = permanentReason(error);
        if (reason !== null) return this.#fail(paths, reason);
        await pause(retryMs, signal);
      }
    }
  }

  #fail(paths: SnapshotPaths, reason: string): void {
    writeFileDurably(paths.failed, JSON.stringify({ reason }));
    if (existsSync(paths.job)) discardJobFiles(paths);
    this.#collectSoon();
  }

  #collectSoon(afterMs = COLLECT_AFTER_MS): void {
    clearTimeout(this.#collectTimer);
    this.#collectTimer = undefined;
    if (this.#closing) return;
    this.#collectTimer = setTimeout(() => {
      this.#collectTimer = undefined;
      this.#collecting = this.#collecting.then(() => this.#collect());
    }, afterMs).unref();
  }

  /** Unless it is to be sooner anyway. */
  #collectAgain(): void {
    if (this.#collectTimer === undefined) this.#collectSoon(COLLECT_AGAIN_MS);
  }

  async #collect(): Promise<void> {
    try {
      await this.mirror?.assertOwn();
      await this.#finishRemovals();
      await this.mirror?.reconcile();
      const collected = await collectGarbage(this.layout, this.mirror?.objects);
      const { segments } = collected;
      if (collected.removedBlocks > 0 || (segments?.removedSegments ?? 0) + (segments?.movedBlocks ?? 0) > 0)
        this.logger.info({ ...collected }, 'collected unused blocks');
      if (segments?.isMoreToMove === true) this.#collectAgain();
      this.#collectAfterRestores();
    } catch (error) {
      this.logger.error({ err: error }, 'the collection of unused blocks failed');
      if (error instanceof StoreUnavailable) this.#collectAgain();
    }
  }

  /** Volumes that are still restored keep blocks of snapshots that may be gone by then. */
  #collectAfterRestores(): void {
    const sources = this.layout.volumeIds().map((volumeId) => this.layout.volume(volumeId).source);
    const waiting = sources.filter((source) => existsSync(source));
    clearTimeout(this.#restoresTimer);
    if (waiting.length === 0 || this.#closing) return;
    const look = () => {
      if (waiting.some((source) => !existsSync(source))) this.#collectSoon();
      else this.#restoresTimer = setTimeout(look, RESTORES_MS).unref();
    };
    this.#restoresTimer = setTimeout(look, RESTORES_MS).unref();
  }

  /** Folders of snapshots that were removed while their volume's host was still copying them, or whose index is in the store. */
  async #finishRemovals(): Promise<void> {
    const removed = this.layout
      .snapshotIds()
      .map(parseSnapshotId)
      .filter((snapshotId) => existsSync(this.layout.snapshot(snapshotId).removed) && !this.#copies.has(snapshotId));
    for (let first = 0; first < removed.length; first += REMOVED_AT_ONCE)
      await Promise.all(removed.slice(first, first + REMOVED_AT_ONCE).map((id) => this.#finishRemoval(id)));
  }

  async #finishRemoval(snapshotId: SnapshotId): Promise<void> {
    const paths = this.layout.snapshot(snapshotId);
    const underWay = kindOfJob(paths);
    const isSomebodys = underWay === 'freeze' || underWay === 'upload';
    if (isSomebodys && !existsSync(paths.failed)) this.#collectSoon();
    else if ((await this.mirror?.remove(snapshotId)) === false) this.#collectAgain();
    else rmSync(paths.folder, { recursive: true, force: true });
  }
}

/** What trying again does not mend, in AWS's words where it has some; null: try again. */
const permanentReason = (error: unknown): string | null => {
  if (!(error instanceof PeerError)) return null;
  if (error.code === HOST_ERRORS.keyUnusable || error.code === HOST_ERRORS.wrongKey) return REASON_KEY;
  return error.code === 'BlockDamaged' || error.code === 'ManifestDamaged' ? error.message : null;
};

type Job = FreezeJob | CopyJob<CopyRequest> | UploadJob;

/** Null: nothing is under way, or no more. */
const kindOfJob = (paths: SnapshotPaths): Job['kind'] | null => {
  try {
    return readJob(paths).kind;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
};

const readJob = (paths: SnapshotPaths): Job => JSON.parse(readFileSync(paths.job, 'utf8')) as Job;

const pause = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms).unref();
    signal.addEventListener('abort', () => resolve(clearTimeout(timer)), { once: true });
  });
