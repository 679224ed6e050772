import { createHash } from 'node:crypto';
import { existsSync, linkSync, readFileSync } from 'node:fs';
import { openNodeFile, type OpenFile } from './backing-file.ts';
import { IntentFile } from './background.ts';
import { BlockJournal } from './block-journal.ts';
import { type BlockStore, DIGEST_BYTES } from './block-store.ts';
import { makeDirectory, writeFileDurably } from './durable-files.ts';
import { discardJobFiles } from './freeze.ts';
import { blockCount, Manifest, ManifestDamaged, type ManifestHeader } from './manifest.ts';
import type { SnapshotPaths } from './layout.ts';

/** Blocks on their way into the store at once: what the intent file has room for. */
const MAX_UNDER_WAY = 64;

export interface UploadCompletion {
  /** How many different blocks the caller says to have put. */
  readonly changedBlocksCount: number;
  /** SHA-256 over the plaintext digests in order of their index, base64; null: the caller gave none. */
  readonly checksum: string | null;
}

/** A snapshot whose blocks are put one by one (EBS direct), in its job file. */
export interface UploadJob {
  readonly kind: 'upload';
  readonly header: ManifestHeader;
  readonly timeoutMinutes: number;
  /** Null: blocks may still be put. */
  readonly completion: UploadCompletion | null;
}

/** Durable when it returns. @param parentManifest linked beside the job, so that the parent's blocks stay. */
export const createUpload = (
  paths: SnapshotPaths,
  job: Omit<UploadJob, 'kind' | 'completion'>,
  parentManifest: string | null,
): void => {
  makeDirectory(paths.folder);
  if (parentManifest !== null && !existsSync(paths.base)) linkSync(parentManifest, paths.base);
  const { header, timeoutMinutes } = job;
  writeJob(paths, { kind: 'upload', header, timeoutMinutes, completion: null });
};

const writeJob = (paths: SnapshotPaths, job: UploadJob): void => writeFileDurably(paths.job, JSON.stringify(job));

/** @throws ENOENT, as the file system words it, when nothing is under way. */
export const readUpload = (paths: SnapshotPaths): UploadJob => {
  const job = JSON.parse(readFileSync(paths.job, 'utf8')) as UploadJob;
  if (!((job.kind as string) === 'upload')) throw new Error(`${paths.job} is not the job of an upload`);
  return job;
};

/** Notes durably that the upload is to end. The process that takes its blocks has closed it before. */
export const requestCompletion = (paths: SnapshotPaths, completion: UploadCompletion): void => {
  const job = readUpload(paths);
  if (job.completion === null) writeJob(paths, { ...job, completion });
};

interface WaitingBlock {
  readonly block: number;
  readonly stored: Uint8Array;
  readonly digest: Buffer;
  readonly checksum: Buffer;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** The blocks of one upload, open in one process. */
export class BlockUpload {
  readonly header: ManifestHeader;
  readonly #store: BlockStore;
  readonly #journal: BlockJournal;
  readonly #checksums: BlockJournal;
  readonly #intent: IntentFile;
  readonly #waiting: WaitingBlock[] = [];
  /** Announced, and not yet journalled. */
  readonly #underWay = new Set<WaitingBlock>();
  /** In the store, not yet durably. */
  readonly #stored: WaitingBlock[] = [];
  #isSettling = false;
  /** Durably in the store, and not yet journalled. */
  readonly #settled: WaitingBlock[] = [];
  #isJournalling = false;
  readonly #onIdle: (() => void)[] = [];

  constructor(paths: SnapshotPaths, header: ManifestHeader, store: BlockStore, openFile: OpenFile = openNodeFile) {
    this.header = header;
    this.#store = store;
    this.#journal = BlockJournal.open(paths.journal, openFile, { isReserved: true });
    this.#checksums = BlockJournal.open(paths.checksums, openFile, { isReserved: true });
    this.#intent = new IntentFile(paths.intent, openFile, MAX_UNDER_WAY);
  }

  /**
   * Durable when it settles; a block that was put before is replaced. Blocks go into the store side by side; those that are
   * there by the time the store last settled settle together, and are journalled while the next ones do.
   * @param stored the block as it is kept, encrypted or not; `digest` is SHA-256 of that, `checksum` of its plaintext.
   */
  put(block: number, stored: Uint8Array, digest: Buffer, checksum: Buffer): Promise<void> {
    if (!Number.isSafeInteger(block) || block < 0 || block >= blockCount(this.header.sizeGiB))
      return Promise.reject(new RangeError(`block ${block} of ${this.header.sizeGiB} GiB`));
    if (digest.length !== DIGEST_BYTES || checksum.length !== DIGEST_BYTES)
      return Promise.reject(new RangeError(`digests of ${digest.length} and ${checksum.length} bytes`));
    return new Promise((resolve, reject) => {
      this.#waiting.push({ block, stored, digest, checksum, resolve, reject });
      this.#begin();
    });
  }

  /** Waits for the blocks that are being put. */
  async close(): Promise<void> {
    while (this.#underWay.size > 0 || this.#waiting.length > 0)
      await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    this.#journal.close();
    this.#checksums.close();
    this.#intent.close();
  }

  /** Announced, put, then journalled: see `collectGarbage`. */
  #begin(): void {
    const begun = this.#waiting.splice(0, MAX_UNDER_WAY - this.#underWay.size);
    if (begun.length === 0) return;
    for (const waiting of begun) this.#underWay.add(waiting);
    try {
      this.#intent.announce([...this.#underWay].map(({ digest }) => digest));
    } catch (error) {
      return this.#end(begun, ({ reject }) => reject(error));
    }
    for (const waiting of begun) {
      this.#store.put(waiting.digest, waiting.stored).then(
        () => {
          this.#stored.push(waiting);
          void this.#settleStored();
        },
        (error: unknown) => this.#end([waiting], ({ reject }) => reject(error)),
      );
    }
  }

  async #settleStored(): Promise<void> {
    if (this.#isSettling) return;
    this.#isSettling = true;
    while (this.#stored.length > 0) {
      const batch = this.#stored.splice(0);
      try {
        await this.#store.settle();
        this.#settled.push(...batch);
        void this.#journalSettled();
      } catch (error) {
        this.#end(batch, ({ reject }) => reject(error));
      }
    }
    // In the turn that found nothing stored: what is stored next begins anew.
    this.#isSettling = false;
  }

  async #journalSettled(): Promise<void> {
    if (this.#isJournalling) return;
    this.#isJournalling = true;
    while (this.#settled.length > 0) {
      const batch = this.#settled.splice(0);
      try {
        this.#checksums.append(batch.map(({ block, checksum }) => [block, checksum] as const));
        this.#journal.append(batch.map(({ block, digest }) => [block, digest] as const));
        await Promise.all([this.#checksums.sync(), this.#journal.sync()]);
        this.#end(batch, ({ resolve }) => resolve());
      } catch (error) {
        this.#end(batch, ({ reject }) => reject(error));
      }
    }
    this.#isJournalling = false;
  }

  #end(blocks: readonly WaitingBlock[], settle: (waiting: WaitingBlock) => void): void {
    for (const waiting of blocks) {
      this.#underWay.delete(waiting);
      settle(waiting);
    }
    this.#begin();
    if (this.#underWay.size === 0) for (const resolve of this.#onIdle.splice(0)) resolve();
  }
}

/** AWS's status messages of uploads that do not add up. */
const COUNT_MISMATCH = 'Changed blocks count mismatch for snapshot';
const CHECKSUM_MISMATCH = 'Checksum mismatch for snapshot';

/**
 * Makes the snapshot of what was put and, where nothing was put, of its parent.
 * @returns why it can't be: AWS's status message; null: the snapshot is complete.
 * @throws ManifestDamaged
 */
export const finishUpload = (paths: SnapshotPaths): string | null => {
  const { header, completion } = readUpload(paths);
  if (completion === null) throw new Error(`${header.snapshotId} was not asked to be completed`);
  const [journal, checksums] = [paths.journal, paths.checksums].map((path) => BlockJournal.open(path, openNodeFile));
  try {
    const put = entriesOf(journal);
    if (put.length !== completion.changedBlocksCount) return COUNT_MISMATCH;
    if (completion.checksum !== null && linearChecksum(put, entriesOf(checksums)) !== completion.checksum)
      return CHECKSUM_MISMATCH;
    const base = existsSync(paths.base) ? Manifest.read(paths.base) : null;
    if (base === null && header.parentSnapshotId !== null)
      throw new ManifestDamaged(`${header.snapshotId} lacks the block index of its parent ${header.parentSnapshotId}`);
    const all = new Map([...(base ?? []), ...put]);
    const blocks = [...all].sort(([left], [right]) => left - right);
    Manifest.of(header, blocks).write(paths.manifest);
  } finally {
    journal?.close();
    checksums?.close();
  }
  discardJobFiles(paths);
  return null;
};

const entriesOf = (journal: BlockJournal | undefined): (readonly [number, Buffer])[] =>
  [...(journal?.entries ?? [])]
    .flatMap(([block, digest]) => (digest === null ? [] : [[block, digest] as const]))
    .sort(([left], [right]) => left - right);

/** EBS direct's LINEAR aggregation. */
const linearChecksum = (
  put: readonly (readonly [number, Buffer])[],
  checksums: readonly (readonly [number, Buffer])[],
) => {
  const byBlock = new Map(checksums);
  const hash = createHash('sha256');
  for (const [block] of put) hash.update(byBlock.get(block) ?? Buffer.alloc(0));
  return hash.digest('base64');
};
