import type { BusLogger } from '@holdfast/messaging';
import type { RootKeys } from './root-keys.ts';
import { lockStale, replaceBlob, type WrappedStore } from './wrapped-store.ts';

/** Blobs in one transaction: their rows are locked while the provider works, some milliseconds each on a slow token. */
const BATCH = 50;
const LOOK_INTERVAL_MS = 60_000;
const RETRY_MS = 2_000;

type Outcome = { readonly wrapped: number; readonly failed: number };

/**
 * Wraps anew, in the background, what is under another version than the current one. All processes of a service share the
 * work: each batch is one transaction, which skips rows that another one has locked. There is nothing to remember, so a
 * process that is killed costs one batch.
 */
export class Rewrapper {
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();
  private stopped = false;
  private isAsked = false;

  constructor(
    private readonly rootKeys: RootKeys,
    private readonly logger: Pick<BusLogger, 'info' | 'warn'>,
    private readonly batchSize: number = BATCH,
  ) {}

  /** Looks now, and from time to time. */
  start(): void {
    this.wake();
  }

  /** Looks at once, or once more after what is under way. */
  wake(): void {
    if (this.stopped) return;
    this.isAsked = true;
    this.schedule(0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.running;
  }

  /** Everything once. Rows that cannot be opened are left as they are, and told. */
  async pass(): Promise<Outcome> {
    await this.rootKeys.refresh();
    const total = { wrapped: 0, failed: 0 };
    for (const store of this.rootKeys.stores) {
      let after: readonly string[] | null = null;
      do {
        const batch: Batch = await this.batch(store, after);
        total.wrapped += batch.wrapped;
        total.failed += batch.failed;
        after = batch.last;
      } while (after !== null && !this.stopped);
    }
    return total;
  }

  private schedule(delayMs: number): void {
    if (this.stopped) return;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.running = this.running.then(() => this.run());
    }, delayMs);
    this.timer.unref();
  }

  private async run(): Promise<void> {
    if (this.stopped) return;
    this.isAsked = false;
    let again = false;
    try {
      const outcome = await this.pass();
      // What another process had locked may have been left by it.
      again = outcome.failed + outcome.wrapped > 0;
      const { currentVersion: versionId } = this.rootKeys;
      if (outcome.wrapped > 0) this.logger.info({ ...outcome, versionId }, 'wrapped by the current root key version');
    } catch (error) {
      again = true;
      this.logger.warn({ err: error }, 'what is under earlier root key versions was not wrapped anew; trying again');
    }
    if (this.isAsked) this.schedule(0);
    else this.schedule(again ? RETRY_MS : LOOK_INTERVAL_MS);
  }

  /** One transaction. The version stays current until it ends, so nothing is put under one that is a former one already. */
  private batch(store: WrappedStore, after: readonly string[] | null): Promise<Batch> {
    const { rootKeys, batchSize } = this;
    return rootKeys.options.database.transaction(async (sql) => {
      const currentId = rootKeys.currentVersion;
      const held = await sql.query(
        "SELECT FROM root_key_versions WHERE version_id = $1 AND state = 'current' FOR SHARE",
        [currentId],
      );
      if (held.length === 0) {
        this.wake(); // Rotated again meanwhile: the rest of this pass would be for nothing.
        return { wrapped: 0, failed: 0, last: null };
      }
      const rows = await lockStale(sql, store, { currentId, after, limit: batchSize });
      let failed = 0;
      for (const { key, wrapped } of rows) {
        const again = await this.wrapAnew(store, key, wrapped);
        if (again === null) failed++;
        else await replaceBlob(sql, store, key, again);
      }
      const last = rows.length < batchSize ? null : (rows.at(-1)?.key ?? null);
      return { wrapped: rows.length - failed, failed, last };
    });
  }

  private async wrapAnew(store: WrappedStore, key: readonly string[], wrapped: Buffer) {
    let plaintext: Buffer | undefined;
    try {
      plaintext = await this.rootKeys.unwrap(store, key, wrapped);
      return await this.rootKeys.wrap(store, key, plaintext);
    } catch (error) {
      this.logger.warn({ err: error, table: store.table, row: key.join('/') }, 'a wrapped key cannot be wrapped anew');
      return null;
    } finally {
      plaintext?.fill(0);
    }
  }
}

interface Batch extends Outcome {
  /** Null: there is no more. */
  readonly last: readonly string[] | null;
}
