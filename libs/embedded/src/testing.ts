import type {} from 'vitest'; // What the declaration below adds to.
import { randomBytes } from 'node:crypto';
import pg from 'pg';

/** What the global set-up of the integration tests (tools/testing/servers.ts) hands to `inject`. */
declare module 'vitest' {
  interface ProvidedContext {
    /** Superuser; see createTestDatabase. */
    postgresAdminUrl: string;
    natsUrl: string;
    natsUser: string;
    natsPassword: string;
    /** Process ids, for tests that kill a server of their own making and must not meet these. */
    postgresPid: number;
    natsPid: number;
  }
}

export interface TestDatabase {
  /** May change the schema; owns it. */
  readonly ownerUrl: string;
  /** What a service runs as: may read and write what the owner grants, and create nothing. */
  readonly serviceUrl: string;
  readonly serviceRole: string;
  /** Ends all connections to the database and removes it with its roles. */
  drop(): Promise<void>;
}

const withClient = async <T>(url: string, use: (client: pg.Client) => Promise<T>): Promise<T> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await use(client);
  } finally {
    await client.end();
  }
};

const urlFor = (adminUrl: string, user: string, password: string, database: string): string => {
  const url = new URL(adminUrl);
  url.username = user;
  url.password = password;
  url.pathname = `/${database}`;
  return url.href;
};

/** A fresh database with an owner and a restricted service role, as `holdfast up` makes them. */
export const createTestDatabase = async (adminUrl: string): Promise<TestDatabase> => {
  const name = `test_${randomBytes(6).toString('hex')}`;
  const [owner, service] = [`${name}_owner`, `${name}_service`];
  const password = randomBytes(16).toString('hex');
  await withClient(adminUrl, async (client) => {
    await client.query(`CREATE ROLE ${owner} LOGIN PASSWORD '${password}'`);
    await client.query(`CREATE ROLE ${service} LOGIN PASSWORD '${password}'`);
    await client.query(`CREATE DATABASE ${name} OWNER ${owner}`);
    await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
    await client.query(`GRANT CONNECT ON DATABASE ${name} TO ${service}`);
  });
  const ownerUrl = urlFor(adminUrl, owner, password, name);
  await withClient(ownerUrl, (client) => client.query(`GRANT USAGE ON SCHEMA public TO ${service}`));
  const drop = () =>
    withClient(adminUrl, async (client) => {
      await client.query(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
      await client.query(`DROP ROLE IF EXISTS ${owner}`);
      await client.query(`DROP ROLE IF EXISTS ${service}`);
    });
  return { ownerUrl, serviceUrl: urlFor(adminUrl, service, password, name), serviceRole: service, drop };
};
