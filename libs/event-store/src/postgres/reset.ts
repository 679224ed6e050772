import pg from 'pg';

const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;
const OWN_TABLES = ['events', 'client_tokens', 'checkpoints', 'relay_checkpoint', 'inbox'];

/**
 * TRUNCATE makes a new file for each table and index, which takes longer than removing what one test wrote; past this
 * size, dead rows included, it is the faster one. It is also the one that copes with foreign keys.
 */
const SMALL_BYTES = 2 * 1024 * 1024;

const emptying = (tables: readonly string[]): string => `
  DO $$ BEGIN
    LOCK TABLE ${tables.join(', ')} IN ACCESS EXCLUSIVE MODE;
    IF (SELECT sum(pg_relation_size(name::regclass)) FROM unnest(ARRAY['${tables.join("', '")}']) AS name) > ${String(SMALL_BYTES)}
      OR EXISTS (SELECT FROM pg_constraint WHERE contype = 'f') THEN
      TRUNCATE ${tables.join(', ')};
    ELSE
      ${tables.map((table) => `DELETE FROM ${table};`).join(' ')}
    END IF;
  END $$`;

/**
 * Development only: forgets the whole history. Positions go on where they were, so that nothing old compares as new.
 * @param migrationUrl of the schema's owner: the service's role may not do this.
 * @param readModels tables made from the events, emptied with them.
 */
export const resetDatabase = async (migrationUrl: string, readModels: readonly string[]): Promise<void> => {
  const tables = [...new Set([...OWN_TABLES, ...readModels])];
  const wrong = tables.find((table) => !IDENTIFIER.test(table));
  if (wrong !== undefined) throw new TypeError(`not a table name: ${JSON.stringify(wrong)}`);
  const client = new pg.Client({ connectionString: migrationUrl });
  await client.connect();
  try {
    await client.query(emptying(tables));
  } finally {
    await client.end();
  }
};
