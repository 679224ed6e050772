import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { StoreLayout } from '@holdfast/block-store';
import type { BlockSource, SnapshotId } from '@holdfast/contracts';
import type { Logger } from '@holdfast/service-kit';
import { asRefusal, refusal } from '../errors.ts';
import { HostProcess } from '../host-process.ts';
import { HOST_ERRORS } from '../host-protocol.ts';
import type { KmsKeys } from '../kms-keys.ts';

const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5_000;
/** Each is a process. */
const MAX_EXPORTS = 32;
/** Whoever opened one asks for it again within so many milliseconds, or is taken for gone. */
const LEASE_MS = 60_000;

export interface SnapshotExportsOptions {
  readonly home: string;
  readonly layout: StoreLayout;
  readonly scriptPath: string;
  /** For hosts that need blocks: see `storeEnvironment`. */
  readonly storeEnvironment?: Readonly<Record<string, string>>;
  readonly keys: KmsKeys;
  readonly logger: Logger;
  /** Milliseconds; for tests. */
  readonly leaseMs?: number;
}

interface SnapshotExport {
  readonly source: BlockSource;
  readonly socketPath: string;
  readonly timer: NodeJS.Timeout;
  host: HostProcess | null;
  /** Its host has begun to serve, and is alive. */
  isServed: boolean;
  restarts: number;
  isEnding: boolean;
}

/**
 * Snapshots that are read as block devices: a process for each, which alone has the key; gone with whoever wanted it. One that
 * dies is started again, and serves the same path.
 */
export class SnapshotExports {
  readonly #options: SnapshotExportsOptions;
  readonly #open = new Map<string, SnapshotExport>();
  /** Of this process: earlier ones' sockets are dead. */
  #isClean: Promise<void> | null = null;

  constructor(options: SnapshotExportsOptions) {
    this.#options = options;
  }

  /** @throws AwsError SnapshotNotFound, EncryptionMismatch, KmsKeyUnusable, TooManyExports */
  async open(source: BlockSource): Promise<{ exportId: string; socketPath: string; leaseMs: number }> {
    const { layout, leaseMs = LEASE_MS } = this.#options;
    const { snapshotId } = source;
    if (!existsSync(layout.snapshot(snapshotId).manifest))
      throw refusal(HOST_ERRORS.snapshotNotFound, `snapshot ${snapshotId} is not on this host`);
    if (this.#open.size >= MAX_EXPORTS)
      throw refusal('TooManyExports', `${String(MAX_EXPORTS)} snapshots are exported already`);
    const exportId = randomBytes(6).toString('hex');
    const socketPath = join(this.#folder, exportId);
    const timer = setTimeout(() => void this.close(exportId), leaseMs);
    const state = { host: null, isServed: false, restarts: 0, isEnding: false };
    const served: SnapshotExport = { source, socketPath, timer, ...state };
    this.#open.set(exportId, served);
    try {
      await (this.#isClean ??= this.#clean());
      await this.#serve(exportId, served);
      return { exportId, socketPath, leaseMs };
    } catch (error) {
      this.#forget(exportId);
      throw asRefusal(error);
    }
  }

  keep(exportId: string): { open: boolean } {
    this.#open.get(exportId)?.timer.refresh();
    return { open: this.#open.has(exportId) };
  }

  async close(exportId: string): Promise<void> {
    const served = this.#open.get(exportId);
    if (served === undefined) return;
    served.isEnding = true;
    await served.host?.close({ forGood: true });
    this.#forget(exportId);
  }

  /** The snapshot is deleted, or its blocks go elsewhere. */
  async closeOf(snapshotId: SnapshotId): Promise<void> {
    const ids = [...this.#open].filter(([, { source }]) => source.snapshotId === snapshotId).map(([id]) => id);
    await Promise.all(ids.map((id) => this.close(id)));
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open.keys()].map((exportId) => this.close(exportId)));
  }

  get #folder(): string {
    return join(this.#options.home, 'exports');
  }

  async #clean(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
  }

  /** @throws PeerError, AwsError SnapshotNotFound; no process is left behind then */
  async #serve(exportId: string, served: SnapshotExport): Promise<void> {
    const { layout, scriptPath, storeEnvironment, keys, logger } = this.#options;
    const { snapshotId, dataKey } = served.source;
    const host = new HostProcess({
      ...{ scriptPath, storeEnvironment, keys, logger },
      slots: dataKey === undefined ? [] : [['source', dataKey]],
      onExit: () => this.#exited(exportId, served, host),
    });
    served.host = host;
    const { socketPath } = served;
    try {
      await host.call('ServeSnapshot', {
        root: layout.root,
        snapshotId,
        socketPath,
        encrypted: dataKey !== undefined,
      });
      if (served.isEnding) throw refusal(HOST_ERRORS.snapshotNotFound, `snapshot ${snapshotId} was removed`);
    } catch (error) {
      host.kill();
      throw error;
    } finally {
      host.slots.clear();
    }
    served.isServed = true;
    served.restarts = 0;
  }

  #exited(exportId: string, served: SnapshotExport, host: HostProcess): void {
    if (!served.isServed || served.isEnding) return;
    served.isServed = false;
    const { snapshotId } = served.source;
    this.#options.logger.error({ snapshotId, host: host.pid }, 'the host of an exported snapshot ended unexpectedly');
    this.#restartLater(exportId, served);
  }

  /** What it is refused for ends the export: the key is disabled, or the snapshot gone. */
  #restartLater(exportId: string, served: SnapshotExport): void {
    const delayMs = Math.min(LAST_RESTART_MS, FIRST_RESTART_MS * 2 ** served.restarts++);
    setTimeout(() => {
      if (served.isEnding) return;
      this.#serve(exportId, served).catch((error: unknown) => {
        const { snapshotId } = served.source;
        this.#options.logger.warn({ err: error, snapshotId }, 'cannot export a snapshot again');
        if (asRefusal(error) === error && !served.isEnding) this.#restartLater(exportId, served);
        else void this.close(exportId);
      });
    }, delayMs).unref();
  }

  #forget(exportId: string): void {
    const served = this.#open.get(exportId);
    if (served === undefined) return;
    served.isEnding = true;
    clearTimeout(served.timer);
    this.#open.delete(exportId);
    void rm(served.socketPath, { force: true });
  }
}
