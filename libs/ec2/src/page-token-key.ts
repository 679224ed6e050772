import { randomBytes } from 'node:crypto';
import { KEY_BYTES, PageTokens } from './paging.ts';

interface Sql {
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

/** For a service's migration. The service's role needs SELECT and INSERT. */
export const PAGE_TOKEN_KEY_TABLE = `
  CREATE TABLE page_token_key (only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row), key text NOT NULL)`;

/** Page tokens under the key that all replicas of a service share through its database; the first one makes it. */
export const loadPageTokens = async (sql: Sql): Promise<PageTokens> => {
  await sql.query('INSERT INTO page_token_key (key) VALUES ($1) ON CONFLICT DO NOTHING', [
    randomBytes(KEY_BYTES).toString('base64'),
  ]);
  const [row] = await sql.query<{ key: string }>('SELECT key FROM page_token_key');
  if (row === undefined) throw new Error('the key of page tokens is missing');
  return new PageTokens(row.key);
};
