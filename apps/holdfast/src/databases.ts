import pg from 'pg';
import type { Secrets } from './home.ts';

export interface ServiceDatabase {
  /** May change the schema. */
  readonly ownerUrl: string;
  /** What the service runs as: gets only what migrations grant. */
  readonly serviceUrl: string;
}

/** Of a service, also the name of the role it runs as; its owner is `<name>_owner`. */
const databaseName = (service: string): string => service.replaceAll('-', '_');

const urlFor = (adminUrl: string, role: string, password: string, database: string): string => {
  const url = new URL(adminUrl);
  url.username = role;
  url.password = password;
  url.pathname = `/${database}`;
  return url.href;
};

const ensureRole = async (client: pg.Client, role: string, password: string): Promise<void> => {
  const { rowCount } = await client.query('SELECT 1 FROM pg_roles WHERE rolname = $1', [role]);
  const verb = rowCount === 0 ? 'CREATE' : 'ALTER';
  await client.query(
    `${verb} ROLE ${client.escapeIdentifier(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD ${client.escapeLiteral(password)}`,
  );
};

const ensureDatabase = async (adminUrl: string, client: pg.Client, service: string, secrets: Secrets) => {
  const name = databaseName(service);
  const owner = `${name}_owner`;
  const passwords = secrets.roles[service];
  if (passwords === undefined) throw new Error(`no passwords for ${service}`);
  const urls = {
    ownerUrl: urlFor(adminUrl, owner, passwords.owner, name),
    serviceUrl: urlFor(adminUrl, name, passwords.service, name),
  };
  await ensureRole(client, owner, passwords.owner);
  await ensureRole(client, name, passwords.service);
  const { rowCount } = await client.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (rowCount === 0)
    await client.query(`CREATE DATABASE ${client.escapeIdentifier(name)} OWNER ${client.escapeIdentifier(owner)}`);
  // Each service meets only its own database; repeated, since a crash may have come right after the creation.
  await client.query(`REVOKE ALL ON DATABASE ${client.escapeIdentifier(name)} FROM PUBLIC`);
  await client.query(`GRANT CONNECT ON DATABASE ${client.escapeIdentifier(name)} TO ${client.escapeIdentifier(name)}`);
  const inside = new pg.Client({ connectionString: urls.ownerUrl });
  await inside.connect();
  try {
    await inside.query(`GRANT USAGE ON SCHEMA public TO ${client.escapeIdentifier(name)}`);
  } finally {
    await inside.end();
  }
  return urls;
};

/** One database per service, with a role that owns it and one that the service runs as. Idempotent. */
export const ensureDatabases = async (
  adminUrl: string,
  services: readonly string[],
  secrets: Secrets,
): Promise<Record<string, ServiceDatabase>> => {
  const entries = services.map(async (service) => {
    const client = new pg.Client({ connectionString: adminUrl });
    await client.connect();
    try {
      return [service, await ensureDatabase(adminUrl, client, service, secrets)] as const;
    } finally {
      await client.end();
    }
  });
  return Object.fromEntries(await Promise.all(entries));
};
