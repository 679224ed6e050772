import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { postgresBinaries } from './postgres-binaries.ts';
import { checkPostgres } from './postgres-check.ts';
import { startPostgres, type RunningPostgres } from './postgres.ts';
import { isAlive } from './processes.ts';

const isRoot = process.getuid?.() === 0;
/** A checkout below a folder that is root's alone is closed to every other user, and so are the servers in it. */
const othersMayRun = (): boolean => {
  const other = ['--reuid=1', '--regid=1', '--clear-groups', '--', 'test', '-x', postgresBinaries().initdb];
  return spawnSync('setpriv', other, { stdio: 'ignore' }).status === 0;
};
const canBecomeOthers = isRoot && othersMayRun();
if (!canBecomeOthers) process.stderr.write('NOT RUN: Postgres as other users, who may not enter this checkout\n');

let folder: string;
let servers: RunningPostgres[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-postgres-'));
  servers = [];
});
afterEach(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
});

const start = async (options: Partial<Parameters<typeof startPostgres>[0]> = {}): Promise<RunningPostgres> => {
  const server = await startPostgres({ dataDir: join(folder, 'data'), password: 'secret', durable: false, ...options });
  servers.push(server);
  return server;
};

const query = async <Row>(url: string, sql: string): Promise<Row[]> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows as Row[];
  } finally {
    await client.end();
  }
};
const setting = async (url: string, name: string) =>
  (await query<Record<string, string>>(url, `SHOW ${name}`))[0]?.[name];

describe('an embedded Postgres', () => {
  it('asks for the password and listens on loopback and in its own folder only', async () => {
    const dataDir = join(folder, 'da ta+');
    const { url } = await start({ dataDir });
    const overTcp = url.slice(0, url.indexOf('?'));
    for (const way of [url, overTcp]) {
      expect(await query(way, 'SELECT inet_client_addr() IS NULL AS "isSocket"')).toEqual([{ isSocket: way === url }]);
      await expect(query(way.replace('secret', 'wrong'), 'SELECT 1')).rejects.toThrow('password authentication failed');
    }
    expect(await setting(url, 'listen_addresses')).toBe('127.0.0.1');
    expect(await setting(url, 'unix_socket_directories')).toBe(dataDir);
    expect(statSync(dataDir).mode & 0o777).toBe(0o700);
    expect(readFileSync(join(dataDir, 'pg_hba.conf'), 'utf8')).not.toMatch(/^\w.*\b(trust|password|md5)$/m);
  });

  it('listens on loopback alone where the name of its folder is too long for a socket', async () => {
    const { url } = await start({ dataDir: join(folder, 'd'.repeat(100)) });
    expect(await setting(url, 'unix_socket_directories')).toBe('');
    expect(await query(url, 'SELECT inet_client_addr() IS NULL AS "isSocket"')).toEqual([{ isSocket: false }]);
  });

  it('syncs to disk unless told that nothing is worth keeping', async () => {
    const durable = await start({ dataDir: join(folder, 'durable'), durable: undefined });
    const throwaway = await start({ dataDir: join(folder, 'throwaway') });
    for (const name of ['fsync', 'full_page_writes']) {
      expect(await setting(durable.url, name), name).toBe('on');
      expect(await setting(throwaway.url, name), name).toBe('off');
    }
    expect(durable.port).not.toBe(throwaway.port);
  });

  it('ends at stop, and goes on with its data at the next start', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS n');
    await first.stop();
    await first.exited;
    expect(isAlive(first.pid)).toBe(false);
    const second = await start();
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  });

  it('recovers from kill -9 on the same port', async () => {
    const first = await start();
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS n');
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    const second = await start({ port: first.port });
    expect(second.port).toBe(first.port);
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  });

  it('replaces a server that an earlier run left behind', async () => {
    const orphan = await start();
    const second = await start();
    expect(isAlive(orphan.pid)).toBe(false);
    expect(await query(second.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('is not misled by a pid file that names a stranger', async () => {
    const first = await start();
    const pidFile = join(folder, 'data', 'postmaster.pid');
    const left = readFileSync(pidFile, 'utf8');
    process.kill(first.pid, 'SIGKILL');
    await first.exited;
    writeFileSync(pidFile, left.replace(String(first.pid), String(process.pid)));
    const second = await start();
    expect(isAlive(process.pid)).toBe(true);
    expect(await query(second.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('says why it does not start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    try {
      const { port } = taken.address() as AddressInfo;
      await expect(start({ port })).rejects.toThrow(/Postgres does not start: .*(TCP\/IP|listen)/);
    } finally {
      taken.close();
    }
    mkdirSync(join(folder, 'old'));
    writeFileSync(join(folder, 'old', 'PG_VERSION'), '12\n');
    chmodSync(join(folder, 'old'), 0o700);
    await expect(start({ dataDir: join(folder, 'old') })).rejects.toThrow(/Postgres does not start/);
  });

  it('leaves no password file, and touches no folder with other content', async () => {
    await start();
    expect(existsSync(join(folder, 'data.password'))).toBe(false);
    expect(existsSync(join(folder, 'data.new'))).toBe(false);
    const precious = join(folder, 'precious');
    mkdirSync(precious);
    writeFileSync(join(precious, 'thesis.txt'), 'years of work');
    await expect(start({ dataDir: precious })).rejects.toThrow('neither empty nor a data directory');
    expect(readFileSync(join(precious, 'thesis.txt'), 'utf8')).toBe('years of work');
  });

  it('begins again where an earlier start was killed while it made the data directory', async () => {
    mkdirSync(join(folder, 'data.new'));
    writeFileSync(join(folder, 'data.new', 'PG_VERSION'), '18\n');
    const { url } = await start();
    expect(await query(url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('is not reached by signals to our process group', async () => {
    const { pid } = await start();
    const group = Number(execFileSync('ps', ['-o', 'pgid=', '-p', String(pid)], { encoding: 'utf8' }));
    expect(group).toBe(pid);
  });

  it.runIf(isRoot)('runs as root in a namespace, where nothing changes hands', async () => {
    expect(checkPostgres().runsAs).toBe('in a user namespace');
    const { pid } = await start();
    expect(statSync(join(folder, 'data', 'PG_VERSION')).uid).toBe(0);
    expect(readFileSync(`/proc/${pid}/uid_map`, 'utf8').trim().split(/\s+/)).toEqual(['65534', '0', '1']);
  });

  it.runIf(canBecomeOthers).each([
    ['its owner', 1, 1],
    ['nobody, when the system does not know its owner', 12_345, 65_534],
  ])('runs as root in the folder of another user as %s', async (_, owner, expected) => {
    chownSync(folder, owner, owner);
    const first = await start();
    expect(statSync(`/proc/${first.pid}`).uid).toBe(expected);
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS n');
    await first.stop();
    const second = await start();
    expect(await query(second.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
  });
});
