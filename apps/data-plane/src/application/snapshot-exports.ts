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
  readonly snapshotId: SnapshotId;
  readonly host: HostProcess;
  timer: NodeJS.Timeout;
}

/** Snapshots that are read as block devices: a process for each, which alone has the key; gone with whoever wanted it. */
export class SnapshotExports {
  readonly #options: SnapshotExportsOptions;
  readonly #open = new Map<string, SnapshotExport>();
  /** Of this process: earlier ones' sockets are dead. */
  #isClean: Promise<void> | null = null;

  constructor(options: SnapshotExportsOptions) {
    this.#options = options;
  }

  /** @throws AwsError SnapshotNotFound, EncryptionMismatch, KmsKeyUnusable, TooManyExports */
  async open({ snapshotId, dataKey }: BlockSource): Promise<{ exportId: string; socketPath: string; leaseMs: number }> {
    const { layout, scriptPath, storeEnvironment, keys, logger, leaseMs = LEASE_MS } = this.#options;
    if (!existsSync(layout.snapshot(snapshotId).manifest))
      throw refusal(HOST_ERRORS.snapshotNotFound, `snapshot ${snapshotId} is not on this host`);
    if (this.#open.size >= MAX_EXPORTS)
      throw refusal('TooManyExports', `${String(MAX_EXPORTS)} snapshots are exported already`);
    const exportId = randomBytes(6).toString('hex');
    const host = new HostProcess({
      ...{ scriptPath, storeEnvironment, keys, logger },
      slots: dataKey === undefined ? [] : [['source', dataKey]],
      onExit: () => this.#ended(exportId),
    });
    const timer = setTimeout(() => void this.close(exportId), leaseMs);
    this.#open.set(exportId, { snapshotId, host, timer });
    const socketPath = join(this.#folder, exportId);
    try {
      await (this.#isClean ??= this.#clean());
      const params = { root: layout.root, snapshotId, socketPath, encrypted: dataKey !== undefined };
      await host.call('ServeSnapshot', params);
      return { exportId, socketPath, leaseMs };
    } catch (error) {
      host.kill();
      throw asRefusal(error);
    } finally {
      host.slots.clear();
    }
  }

  keep(exportId: string): { open: boolean } {
    this.#open.get(exportId)?.timer.refresh();
    return { open: this.#open.has(exportId) };
  }

  async close(exportId: string): Promise<void> {
    await this.#open.get(exportId)?.host.close();
  }

  /** The snapshot is deleted, or its blocks go elsewhere. */
  async closeOf(snapshotId: SnapshotId): Promise<void> {
    const ids = [...this.#open].filter(([, served]) => served.snapshotId === snapshotId).map(([id]) => id);
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

  #ended(exportId: string): void {
    clearTimeout(this.#open.get(exportId)?.timer);
    this.#open.delete(exportId);
    void rm(join(this.#folder, exportId), { force: true });
  }
}
