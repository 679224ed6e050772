import type { Database } from '@holdfast/event-store/postgres';
import pg from 'pg';

/**
 * A few rows are deleted, which takes a tenth of the time of TRUNCATE's new files; many are truncated. Tables that
 * reference each other are always truncated, together.
 */
const EMPTY_ALL = `
DO $$
DECLARE
  tables text[] := ARRAY(
    SELECT format('%I', tablename) FROM pg_tables WHERE schemaname = current_schema() AND tablename <> ALL ('{migrations,root_key_versions,service_secrets}'));
  one text;
BEGIN
  IF EXISTS (SELECT FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::regnamespace) THEN
    EXECUTE 'TRUNCATE ' || array_to_string(tables, ', ');
    RETURN;
  END IF;
  FOREACH one IN ARRAY tables LOOP
    IF pg_relation_size(one::regclass) > 4 * 1024 * 1024 THEN
      EXECUTE 'TRUNCATE ' || one;
    ELSE
      EXECUTE 'DELETE FROM ' || one;
    END IF;
  END LOOP;
END $$`;

/**
 * Development only: empties a service's database, all but the list of migrations and what goes with the root key, which
 * stays. Positions go on where they were, so that
 * nothing old compares as new. Keeps a connection as the schema's owner, since the service may not remove events.
 */
export class DatabaseEraser {
  private client: Promise<pg.Client> | undefined;

  constructor(private readonly database: Database) {}

  /** @throws Error when no migration URL was given. */
  async empty(): Promise<void> {
    this.client ??= this.connect();
    try {
      await (await this.client).query(EMPTY_ALL);
    } catch (error) {
      await this.close(); // The next try connects anew.
      throw error;
    }
  }

  /** Connects ahead of the first `empty`, which is to be quick. */
  warmUp(): void {
    if (this.database.options.migrationUrl === undefined) return;
    this.client ??= this.connect();
    this.client.catch(() => (this.client = undefined)); // `empty` tries again, and reports.
  }

  async close(): Promise<void> {
    const { client } = this;
    this.client = undefined;
    await (await client?.catch(() => undefined))?.end().catch(() => undefined);
  }

  private async connect(): Promise<pg.Client> {
    const { migrationUrl, applicationName } = this.database.options;
    if (migrationUrl === undefined) throw new Error('without a migration URL the database cannot be emptied');
    const client = new pg.Client({ connectionString: migrationUrl, application_name: `${applicationName}-reset` });
    client.on('error', () => (this.client = undefined)); // Lost while idle.
    await client.connect();
    return client;
  }
}
