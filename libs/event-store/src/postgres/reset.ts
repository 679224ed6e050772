import pg from 'pg';

const IDENTIFIER = /^[a-z_][a-z0-9_]{0,62}$/;
const OWN_TABLES = ['events', 'client_tokens', 'checkpoints', 'relay_checkpoint', 'inbox'];

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
    await client.query(`TRUNCATE ${tables.join(', ')}`);
  } finally {
    await client.end();
  }
};
