import { type Database, resetDatabase } from '@holdfast/event-store/postgres';

/** Development only: empties every table except the list of migrations. @throws when no migration URL was given. */
export const emptyDatabase = async (database: Database): Promise<void> => {
  const { migrationUrl } = database.options;
  if (migrationUrl === undefined) throw new Error('without a migration URL the database cannot be emptied');
  const tables = await database.query<{ tablename: string }>(
    `SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND tablename <> 'migrations'`,
  );
  await resetDatabase(migrationUrl, tables.map(({ tablename }) => tablename)); // prettier-ignore
};
