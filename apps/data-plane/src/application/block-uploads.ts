import { existsSync, statSync } from 'node:fs';
import {
  blockCount,
  createUpload,
  finishUpload,
  type KeyReference,
  Manifest,
  readUpload,
  requestCompletion,
  type SnapshotPaths,
  type StoreLayout,
  type UploadJob,
} from '@holdfast/block-store';
import {
  AwsError,
  type InternalRequests,
  type ListedBlock,
  type SnapshotId,
  type WrappedDataKey,
} from '@holdfast/contracts';
import type { Clock, Logger } from '@holdfast/service-kit';
import { asRefusal, refusal } from '../errors.ts';
import { HOST_ERRORS } from '../host-protocol.ts';
import { messageOf, PeerError } from '../ipc.ts';
import { KmsRefused } from '../kms-keys.ts';
import { keyReference } from './allocate-volume.ts';
import type { HostTasks } from './host-tasks.ts';

type Requests = InternalRequests['data-plane'];

const MINUTE_MS = 60_000;
const TIMED_OUT = 'The snapshot timed out while it waited for blocks';

interface Activity {
  /** By the service's clock. */
  lastPutMs: number;
  progress: number;
}

const begun = (paths: SnapshotPaths) => {
  const { sizeGiB, parentSnapshotId, dataKey } = readUpload(paths).header;
  return { sizeGiB, parentSnapshotId: parentSnapshotId as SnapshotId | null, dataKey: dataKey && wrappedKey(dataKey) };
};

const wrappedKey = ({ keyArn, encryptedDataKey, encryptionContext, dataKeyId }: KeyReference): WrappedDataKey => ({
  ...{ keyArn, encryptedDataKey, encryptionContext, dataKeyId },
});

export interface BlockUploadsOptions {
  readonly layout: StoreLayout;
  readonly tasks: HostTasks;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the process that takes the blocks. */
  readonly closeBlocks: (snapshotId: string) => Promise<void>;
  readonly fail: (snapshotId: SnapshotId, reason: string) => void;
}

/** Snapshots that are made of blocks that a client puts, and the block indexes of those that are complete: EBS direct. */
export class BlockUploads {
  readonly #options: BlockUploadsOptions;
  readonly #activity = new Map<string, Activity>();
  readonly #finishing = new Map<SnapshotId, Promise<void>>();

  constructor(options: BlockUploadsOptions) {
    this.#options = options;
  }

  /** Idempotent: what was begun stays as it was begun. @throws AwsError KmsKeyUnusable, SnapshotNotFound, EncryptionMismatch */
  async start(request: Requests['StartBlockUpload']['in']): Promise<Requests['StartBlockUpload']['out']> {
    const { snapshotId, sizeGiB, parentSnapshotId, dataKey, timeoutMinutes } = request;
    const { layout, tasks } = this.#options;
    const paths = layout.snapshot(snapshotId);
    if ([paths.manifest, paths.failed, paths.removed].some((path) => existsSync(path))) return {};
    if (existsSync(paths.job)) return { begun: begun(paths) };
    const parent = parentSnapshotId === undefined ? null : this.#manifest(parentSnapshotId);
    if (parent !== null && parent.header.dataKey?.dataKeyId !== dataKey?.dataKeyId) {
      throw refusal('EncryptionMismatch', `${snapshotId} is not under the data key of its parent`);
    }
    if (parent !== null && parent.header.sizeGiB > sizeGiB) {
      throw refusal('EncryptionMismatch', `${snapshotId} is smaller than its parent`);
    }
    let reference = null;
    if (dataKey !== undefined) {
      const keyCheck = await tasks.proveKey(dataKey).catch(refuse);
      if (parent !== null && parent.header.dataKey?.keyCheck !== keyCheck) {
        throw refusal(HOST_ERRORS.wrongKey, 'the data key is not the parent’s');
      }
      reference = keyReference(dataKey, keyCheck);
    }
    const header = { snapshotId, sizeGiB, dataKey: reference, parentSnapshotId: parentSnapshotId ?? null };
    const parentPath = parentSnapshotId === undefined ? null : layout.snapshot(parentSnapshotId).manifest;
    // Another request may have begun it while this one asked for its key.
    if (existsSync(paths.job)) return { begun: begun(paths) };
    createUpload(paths, { header, timeoutMinutes }, parentPath);
    this.noted(snapshotId, null);
    return {};
  }

  /** A block was put: the wait for the next one begins anew. */
  noted(snapshotId: string, progress: number | null): void {
    const before = this.#activity.get(snapshotId)?.progress ?? 0;
    this.#activity.set(snapshotId, { lastPutMs: this.#now(), progress: progress ?? before });
  }

  /** Settles when no more blocks are taken, durably; the rest shows in the progress. @throws AwsError UploadClosed */
  async complete(request: Requests['CompleteBlockUpload']['in']): Promise<Record<string, never>> {
    const { snapshotId, changedBlocksCount, checksum } = request;
    const paths = this.#options.layout.snapshot(snapshotId);
    if (existsSync(paths.manifest) || existsSync(paths.failed)) return {};
    if (!existsSync(paths.job)) throw refusal(HOST_ERRORS.uploadClosed, `snapshot ${snapshotId} takes no blocks`);
    await this.#options.closeBlocks(snapshotId);
    if (!existsSync(paths.job)) return {}; // Another request was quicker.
    requestCompletion(paths, { changedBlocksCount, checksum: checksum ?? null });
    // A session that opened between the two has the journal open; what it was given was not counted on.
    await this.#options.closeBlocks(snapshotId);
    this.finish(snapshotId);
    return {};
  }

  /** Makes the snapshot; goes on with it after a restart. */
  finish(snapshotId: SnapshotId): void {
    if (this.#finishing.has(snapshotId)) return;
    const work = async () => {
      const paths = this.#options.layout.snapshot(snapshotId);
      await Promise.resolve();
      try {
        const problem = existsSync(paths.job) ? finishUpload(paths) : null;
        if (problem !== null) this.#options.fail(snapshotId, problem);
      } catch (error) {
        this.#options.logger.error({ err: error, snapshotId }, 'an upload could not be finished');
        this.#options.fail(snapshotId, messageOf(error));
      }
    };
    this.#finishing.set(
      snapshotId,
      work().finally(() => this.#finishing.delete(snapshotId)),
    );
  }

  /** Goes on with an upload that a restart interrupted. */
  resume(snapshotId: SnapshotId, job: UploadJob): void {
    if (job.completion !== null) this.finish(snapshotId);
  }

  /** In percent, as the client said; ends an upload that waited too long. */
  progress(snapshotId: SnapshotId): number {
    const paths = this.#options.layout.snapshot(snapshotId);
    const { timeoutMinutes, completion } = readUpload(paths);
    const activity = this.#activity.get(snapshotId) ?? this.#earlierActivity(paths);
    this.#activity.set(snapshotId, activity);
    const { lastPutMs, progress } = activity;
    if (completion === null && this.#now() - lastPutMs > timeoutMinutes * MINUTE_MS) this.#expire(snapshotId);
    return progress;
  }

  list(request: Requests['ListBlocks']['in']): Requests['ListBlocks']['out'] {
    const { snapshotId, firstSnapshotId, startingBlockIndex, limit } = request;
    const second = this.#manifest(snapshotId);
    const all = firstSnapshotId === undefined ? onlyIn(second) : changes(this.#manifest(firstSnapshotId), second);
    const blocks: ListedBlock[] = [];
    for (const block of all) {
      if (block[0] < startingBlockIndex) continue;
      if (blocks.length === limit) return { sizeGiB: second.header.sizeGiB, blocks, next: block[0] };
      blocks.push(block);
    }
    return { sizeGiB: second.header.sizeGiB, blocks, next: null };
  }

  /** Waits for what is being finished. */
  async close(): Promise<void> {
    await Promise.all(this.#finishing.values());
    this.#activity.clear();
  }

  /** Before this process: the files' times are the system's, which the service's clock may be turned from. */
  #earlierActivity({ journal, job }: SnapshotPaths): Activity {
    const agoMs = Date.now() - statSync(existsSync(journal) ? journal : job).mtimeMs;
    return { lastPutMs: this.#now() - agoMs, progress: 0 };
  }

  /** Unless its completion was promised, or it was removed, while its blocks were waited for. */
  #expire(snapshotId: SnapshotId): void {
    void this.#options.closeBlocks(snapshotId).then(() => {
      const paths = this.#options.layout.snapshot(snapshotId);
      if (!existsSync(paths.job) || existsSync(paths.manifest)) return;
      if (readUpload(paths).completion === null) this.#options.fail(snapshotId, TIMED_OUT);
    });
  }

  #manifest(snapshotId: SnapshotId): Manifest {
    const paths = this.#options.layout.snapshot(snapshotId);
    if (!existsSync(paths.manifest) || existsSync(paths.removed)) {
      throw refusal(HOST_ERRORS.snapshotNotFound, `snapshot ${snapshotId} is not on this host`);
    }
    return Manifest.read(paths.manifest);
  }

  #now(): number {
    return this.#options.clock.now().getTime();
  }
}

const refuse = (error: unknown): never => {
  if (!(error instanceof PeerError) || error.code !== HOST_ERRORS.keyUnusable) throw asRefusal(error);
  throw new AwsError({ code: error.code, message: error.message, members: { kmsCode: kmsCodeOf(error) } });
};

const kmsCodeOf = (error: PeerError): string => (error instanceof KmsRefused ? error.kmsCode : 'AccessDeniedException');

function* onlyIn(manifest: Manifest): Generator<ListedBlock> {
  for (const [block] of manifest) yield [block, 'second'];
}

/** Blocks that only one has, and those that both have with different bytes; under different keys, all of them. */
function* changes(first: Manifest, second: Manifest): Generator<ListedBlock> {
  const last = Math.max(blockCount(first.header.sizeGiB), blockCount(second.header.sizeGiB));
  const [older, newer] = [first[Symbol.iterator](), second[Symbol.iterator]()];
  let [left, right] = [older.next(), newer.next()];
  for (;;) {
    const [leftAt, rightAt] = [left.done === true ? last : left.value[0], right.done === true ? last : right.value[0]];
    if (leftAt === last && rightAt === last) return;
    if (leftAt < rightAt) yield [leftAt, 'first'];
    else if (rightAt < leftAt) yield [rightAt, 'second'];
    else if (left.done !== true && right.done !== true && !left.value[1].equals(right.value[1])) yield [leftAt, 'both'];
    if (leftAt <= rightAt) left = older.next();
    if (rightAt <= leftAt) right = newer.next();
  }
}
