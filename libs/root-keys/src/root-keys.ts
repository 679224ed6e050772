import type { Sql } from '@holdfast/event-store';
import type { Database } from '@holdfast/event-store/postgres';
import { RootKeyError, type RootKeyProvider, UnknownRootKeyVersion } from './types.ts';
import { bindingInStore, countBlobs, SERVICE_SECRETS, type WrappedStore } from './wrapped-store.ts';

/** What only one process of a service does at a time: begin, switch, retire. Advisory locks are per database. */
const ADMINISTRATION_LOCK = 4_566_002;
/** The current version changes in the middle of a write once in a rotation; more often in a row is a fault. */
const MAX_TRIES = 5;

/**
 * SQL of a relation `held` with one row while $1 is the current version, and none otherwise. The row stays locked until the
 * transaction ends, and a switch to another version waits for that: nothing is stored under a version once it is a former one.
 */
export const HELD_CURRENT =
  "held AS MATERIALIZED (SELECT version_id FROM root_key_versions WHERE version_id = $1 AND state = 'current' FOR SHARE)";

export type VersionState = 'current' | 'former' | 'retired';

export interface RootKeysOptions {
  readonly provider: RootKeyProvider;
  readonly database: Database;
  readonly service: string;
  /** Besides the service's own secrets. */
  readonly stores: readonly WrappedStore[];
}

export const recordedVersions = async (sql: Sql): Promise<Map<string, VersionState>> => {
  const rows = await sql.query<{ version_id: string; state: VersionState }>(
    'SELECT version_id, state FROM root_key_versions ORDER BY current_at, version_id',
  );
  return new Map(rows.map(({ version_id: versionId, state }) => [versionId, state]));
};

/**
 * A service's root key in all its versions. The provider holds them, the database says which one is current, and every blob
 * says which one it is under.
 */
export class RootKeys {
  readonly provider: RootKeyProvider;
  readonly service: string;
  readonly stores: readonly WrappedStore[];
  private current = '';

  private constructor(readonly options: RootKeysOptions) {
    this.provider = options.provider;
    this.service = options.service;
    this.stores = [SERVICE_SECRETS, ...options.stores];
  }

  /**
   * @param initialize runs in the transaction that a new installation's first version is recorded in, and at every start.
   * @throws RootKeyError naming what is wrong: nothing there, unreadable, or a version that stored keys need is not there.
   */
  static async open(
    options: RootKeysOptions,
    initialize: (rootKeys: RootKeys, sql: Sql) => Promise<void>,
  ): Promise<RootKeys> {
    const rootKeys = new RootKeys(options);
    try {
      await rootKeys.exclusively(async (sql) => {
        await rootKeys.start(sql);
        await initialize(rootKeys, sql);
      });
      return rootKeys;
    } catch (error) {
      await options.provider.close();
      throw error;
    }
  }

  get currentVersion(): string {
    return this.current;
  }

  /** One at a time among all processes of the service, in a transaction. */
  exclusively<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    return this.options.database.transaction(async (sql) => {
      await sql.query('SELECT pg_advisory_xact_lock($1)', [ADMINISTRATION_LOCK]);
      return work(sql);
    });
  }

  /** Asks the database which version is current, and the provider what it has. */
  async refresh(sql: Sql = this.options.database): Promise<void> {
    const [row] = await sql.query<{ version_id: string }>(
      "SELECT version_id FROM root_key_versions WHERE state = 'current'",
    );
    if (row === undefined) throw new Error(`${this.service} has no current root key version`);
    await this.provider.versions();
    this.current = row.version_id;
  }

  /** Wraps under the current version, for one row. A write that is no part of `storing` may only follow in its transaction. */
  async wrap(store: WrappedStore, key: readonly string[], plaintext: Uint8Array) {
    const versionId = this.current;
    const additionalData = bindingInStore(store, key);
    const wrapped = await this.retried(() => this.provider.wrap(versionId, plaintext, additionalData));
    return { versionId, wrapped };
  }

  /**
   * Wraps, and has the blob stored by SQL that selects from HELD_CURRENT.
   * @param write says whether that stored anything; if not, the current version has changed, and it is asked again.
   */
  async storing(
    store: WrappedStore,
    key: readonly string[],
    plaintext: Uint8Array,
    write: (versionId: string, wrapped: Buffer) => Promise<boolean>,
  ): Promise<void> {
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const { versionId, wrapped } = await this.wrap(store, key, plaintext);
      if (await write(versionId, wrapped)) return;
      await this.refresh();
    }
    throw new Error(`the root key of ${this.service} does not stay the same`);
  }

  /**
   * @returns a buffer of its own, the caller's to zero.
   * @throws InvalidWrapping; UnknownRootKeyVersion, also when it was retired since the blob was read: read it again.
   */
  async unwrap(store: WrappedStore, key: readonly string[], wrapped: Buffer): Promise<Buffer> {
    return this.retried(async () => this.provider.unwrap(wrapped, bindingInStore(store, key)));
  }

  /** What each store holds under which version. */
  async count(sql: Sql): Promise<Map<string, Map<string, number>>> {
    const counts = new Map<string, Map<string, number>>();
    for (const store of this.stores) {
      for (const { versionId, blobs } of await countBlobs(sql, store)) {
        counts.set(versionId, (counts.get(versionId) ?? new Map<string, number>()).set(store.table, blobs));
      }
    }
    return counts;
  }

  close(): Promise<void> {
    return this.provider.close();
  }

  /** A version that is not known may have been made by another process since. */
  private async retried<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof UnknownRootKeyVersion)) throw error;
      await this.provider.versions();
      return work();
    }
  }

  private async start(sql: Sql): Promise<void> {
    const { provider, service } = this;
    let versions = await provider.versions();
    const needed = [...(await this.count(sql)).keys()];
    if (versions.length === 0) {
      if (needed.length > 0) {
        throw new RootKeyError(`${provider.origin} is missing, and existing keys are wrapped by its root key`);
      }
      await provider.createFirst?.();
      versions = await provider.versions();
    }
    const [first, ...others] = versions;
    if (first === undefined) {
      throw new RootKeyError(
        `${provider.origin} has no root key of ${service}: make one with "holdfast root-key create ${service}"`,
      );
    }
    const recorded = await recordedVersions(sql);
    if (recorded.size === 0) {
      await sql.query("INSERT INTO root_key_versions (version_id, state) VALUES ($1, 'current')", [first.versionId]);
      for (const { versionId } of others) {
        await sql.query("INSERT INTO root_key_versions (version_id, state) VALUES ($1, 'former')", [versionId]);
      }
    }
    const currentId = [...recorded].find(([, state]) => state === 'current')?.[0] ?? first.versionId;
    const present = new Set(versions.map(({ versionId }) => versionId));
    const missing = [...new Set([currentId, ...needed])].filter((versionId) => !present.has(versionId));
    if (missing.length > 0) {
      throw new RootKeyError(`${provider.origin} lacks root key ${missing.join(', ')}, which wraps existing keys`);
    }
    this.current = currentId;
  }
}
