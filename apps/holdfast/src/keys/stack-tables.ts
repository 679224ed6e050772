import pg from 'pg';
import { UserError } from '../errors.ts';
import type { StackFile } from '../stack-file.ts';

/** Reads one service's tables. */
export type Query = <Row>(text: string, values?: readonly unknown[]) => Promise<Row[]>;

export interface StackTables {
  /** @throws UserError when the running stack has no such service. */
  of(service: string): Query;
}

/**
 * What the services of a running stack keep, for questions across all accounts that no AWS operation answers. Sessions are
 * read-only: services alone write what is theirs.
 */
export const withStackTables = async <T>(
  { databases }: Pick<StackFile, 'databases'>,
  work: (tables: StackTables) => Promise<T>,
): Promise<T> => {
  const pools = new Map<string, pg.Pool>();
  const poolOf = (service: string): pg.Pool => {
    const url = databases[service]?.serviceUrl;
    if (url === undefined) throw new UserError(`the running stack has no ${service}`);
    const pool = new pg.Pool({
      connectionString: url,
      max: 2,
      application_name: 'holdfast keys',
      options: '-c default_transaction_read_only=on',
    });
    pool.on('error', () => undefined); // A connection that broke while idle; the next read opens another.
    pools.set(service, pool);
    return pool;
  };
  const of =
    (service: string): Query =>
    async <Row>(text: string, values: readonly unknown[] = []) =>
      (await (pools.get(service) ?? poolOf(service)).query(text, [...values])).rows as Row[];
  try {
    return await work({ of });
  } finally {
    await Promise.all([...pools.values()].map((pool) => pool.end()));
  }
};
