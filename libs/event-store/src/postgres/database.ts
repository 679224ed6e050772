import { DataSource, type MigrationInterface } from 'typeorm';
import type { PostgresDriver } from 'typeorm/driver/postgres/PostgresDriver.js';
import type { Pool, PoolClient } from 'pg';
import type { Sql } from '../types.ts';
import { SERVICE_ROLE_SETTING } from './migrations.ts';

export type MigrationClass = new () => MigrationInterface;

export interface DatabaseOptions {
  /** Connects as the service's role, which may not change events. */
  readonly url: string;
  /** A role that owns the schema; when given, pending migrations run before anything else. */
  readonly migrationUrl?: string;
  /** In order of their timestamps; `eventStoreMigrations` first. */
  readonly migrations: readonly MigrationClass[];
  /** Shown in pg_stat_activity. */
  readonly applicationName: string;
  /** Most connections at a time; default 8. */
  readonly poolSize?: number;
}

export interface Database extends Sql {
  readonly options: DatabaseOptions;
  /** Commits when `work` resolves, else rolls back and throws what it threw. READ COMMITTED. */
  transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  ping(): Promise<void>;
  close(): Promise<void>;
}

const DEFAULT_POOL_SIZE = 8;
const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** A transaction left open holds back the log's readers, so Postgres ends it. */
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 60_000;
/** Distinct statements that are prepared; later ones run unprepared, so that generated SQL can't fill the server's memory. */
const MAX_PREPARED_STATEMENTS = 500;

const statementNames = new Map<string, string>();

const statementName = (text: string): string | undefined => {
  const known = statementNames.get(text);
  if (known !== undefined || statementNames.size >= MAX_PREPARED_STATEMENTS) return known;
  const name = `s${String(statementNames.size + 1)}`;
  statementNames.set(text, name);
  return name;
};

const run = async <Row>(client: Pool | PoolClient, text: string, values?: readonly unknown[]): Promise<Row[]> => {
  if (values === undefined) return (await client.query(text)).rows as Row[];
  const { rows } = await client.query({ name: statementName(text), text, values: [...values] });
  return rows as Row[];
};

class PooledDatabase implements Database {
  private readonly pool: Pool;

  constructor(
    readonly options: DatabaseOptions,
    private readonly dataSource: DataSource,
  ) {
    this.pool = (dataSource.driver as PostgresDriver).master as Pool;
  }

  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return run<Row>(this.pool, text, values);
  }

  async transaction<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const client = await this.pool.connect();
    let failed = true;
    try {
      await client.query('BEGIN');
      const result = await work({ query: (text, values) => run(client, text, values) });
      await client.query('COMMIT');
      failed = false;
      return result;
    } finally {
      // A connection that can't even roll back is not given to the next caller.
      const broken = failed && (await client.query('ROLLBACK').then(() => false, () => true)); // prettier-ignore
      client.release(broken);
    }
  }

  async ping(): Promise<void> {
    await this.pool.query('SELECT 1');
  }

  async close(): Promise<void> {
    if (this.dataSource.isInitialized) await this.dataSource.destroy();
  }
}

const dataSource = (url: string, options: DatabaseOptions, poolSize: number, extra: object): DataSource =>
  new DataSource({
    type: 'postgres',
    url,
    applicationName: options.applicationName,
    poolSize,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    installExtensions: false,
    synchronize: false,
    logging: false,
    migrations: [...options.migrations],
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'all',
    poolErrorHandler: () => undefined, // Idle connections that break are replaced; a query in flight gets its own error.
    extra,
  });

/** The role that `url` connects as; Postgres' own rules for a missing user do not apply here. */
export const roleOf = (url: string): string => {
  const role = decodeURIComponent(new URL(url).username);
  if (role === '') throw new TypeError('the database URL names no user');
  return role;
};

/** Any number, the same for all services: each has its own database, and advisory locks are per database. */
const MIGRATION_LOCK = 4_566_001;

const migrate = async (options: DatabaseOptions, migrationUrl: string): Promise<void> => {
  const role = roleOf(options.url);
  if (/[\s\\']/.test(role)) throw new TypeError('the role of a service has no spaces, quotes or backslashes');
  const source = dataSource(migrationUrl, options, 2, { options: `-c ${SERVICE_ROLE_SETTING}=${role}` });
  await source.initialize();
  const lock = source.createQueryRunner();
  try {
    // Replicas that start together migrate one after the other. The lock ends with its session at the latest.
    await lock.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    await source.runMigrations();
    await lock.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
  } finally {
    await lock.release();
    await source.destroy();
  }
};

const refuseUnlessReady = async (database: Database): Promise<void> => {
  const { migrations } = database.options;
  const [table] = await database.query<{ there: boolean }>(`SELECT to_regclass('migrations') IS NOT NULL AS there`);
  const done = table?.there === true ? await database.query<{ name: string }>('SELECT name FROM migrations') : [];
  const names = new Set(done.map(({ name }) => name));
  const missing = migrations.map((migration) => new migration().name ?? migration.name).filter((name) => !names.has(name)); // prettier-ignore
  if (missing.length > 0) {
    throw new Error(`the database lacks migrations ${missing.join(', ')}: start once with a migration URL`);
  }
  const [rights] = await database.query<{ rewrites: boolean; behind: boolean }>(
    `SELECT has_table_privilege('events', 'UPDATE, DELETE, TRUNCATE') AS rewrites,
       coalesce((SELECT max(transaction_id) FROM events) >= pg_snapshot_xmax(pg_current_snapshot()), false) AS behind`,
  );
  if (rights?.rewrites !== false) throw new Error(`role ${roleOf(database.options.url)} may rewrite events: refused`);
  // After pg_restore into a new cluster its transaction ids start again, and new events would sort before old ones.
  if (rights.behind) {
    throw new Error(`the log's transaction ids are ahead of the server's: advance them with pg_resetwal (see README)`);
  }
};

/**
 * Runs pending migrations when `migrationUrl` is given, then connects as the service.
 * @throws Error when migrations are missing, or the service's role could change or remove events.
 */
export const openDatabase = async (options: DatabaseOptions): Promise<Database> => {
  if (options.migrationUrl !== undefined) await migrate(options, options.migrationUrl);
  const source = dataSource(options.url, { ...options, migrations: [] }, options.poolSize ?? DEFAULT_POOL_SIZE, {
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
  });
  await source.initialize();
  const database = new PooledDatabase(options, source);
  try {
    await refuseUnlessReady(database);
    return database;
  } catch (error) {
    await database.close();
    throw error;
  }
};
