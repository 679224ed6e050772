import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { isAlive } from '@holdfast/embedded';
import { connect } from '@nats-io/transport-node';
import pg from 'pg';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { homePaths } from './home.ts';
import { readStackFile, type StackFile } from './stack-file.ts';
import { buildProgram, type Program, type Run } from './testing/program.ts';

/** Makes a table of events like the event store's, and tells on stderr when it closes. */
const SERVICE_WITH_EVENTS = (name: string) => `
import pg from 'pg';
export const start = async ({ mode, databaseUrl, migrationDatabaseUrl, nats, logFile, settings }) => {
  const client = new pg.Client({ connectionString: migrationDatabaseUrl });
  await client.connect();
  await client.query(\`CREATE TABLE IF NOT EXISTS events (transaction_id xid8 DEFAULT pg_current_xact_id(),
    global_position bigint GENERATED ALWAYS AS IDENTITY, stream_id text, version int, type text, data jsonb,
    metadata jsonb, time timestamptz DEFAULT now())\`);
  await client.query('GRANT SELECT ON events TO ' + new URL(databaseUrl).username);
  await client.query("INSERT INTO events (stream_id, version, type, data, metadata) VALUES ('s-${name}', 1, 'Started', $1, '{}')",
    [JSON.stringify({ mode, nats: nats.servers, logFile, settings })]);
  await client.end();
  return { name: '${name}', close: async () => void process.stderr.write('closed ${name}\\n') };
};`;

let program: Program;
/** A home that was used once: a copy of it starts sooner than a new one. */
let usedHome: string;
let folder: string;
let runs: Run[];

beforeAll(async () => {
  program = await buildProgram();
  for (const name of ['kms', 'volumes']) program.addService(name, SERVICE_WITH_EVENTS(name));
  usedHome = join(mkdtempSync(join(tmpdir(), 'holdfast-up-')), 'home');
  const run = program.run(['up'], { HOLDFAST_HOME: usedHome, HOLDFAST_PORT: '0' });
  await run.ready();
  run.child.kill('SIGINT');
  expect(await run.ended).toBe(0);
});
afterAll(() => {
  program.remove();
  rmSync(dirname(usedHome), { recursive: true, force: true });
});
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-up-'));
  runs = [];
});
afterEach(async () => {
  for (const { child } of runs) child.kill('SIGKILL');
  await Promise.all(runs.map(({ ended }) => ended));
  await Promise.all(stacks.splice(0).flatMap(({ postgres, nats }) => [gone(postgres.pid), gone(nats.pid ?? 0)]));
  rmSync(folder, { recursive: true, force: true });
});

const stacks: StackFile[] = [];
const home = (name = 'home') => join(folder, name);
const start = (args: string[] = [], environment: Record<string, string> = {}): Run => {
  const place = environment['HOLDFAST_HOME'] ?? home();
  // In a third of the time that Node's own copy takes: there are thousands of files.
  if (!existsSync(place) && !args.includes('--ephemeral')) execFileSync('cp', ['-a', usedHome, place]);
  const run = program.run(['up', ...args], { HOLDFAST_HOME: home(), HOLDFAST_PORT: '0', ...environment });
  runs.push(run);
  return run;
};
const up = async (...args: Parameters<typeof start>): Promise<{ run: Run; stack: StackFile }> => {
  const run = start(...args);
  await run.ready();
  const stack = readStackFile(args[1]?.['HOLDFAST_HOME'] ?? home());
  stacks.push(stack);
  return { run, stack };
};
const interrupt = async ({ child, ended }: Run) => {
  child.kill('SIGINT');
  return ended;
};
const gone = async (pid: number): Promise<void> => {
  for (const giveUpAt = Date.now() + 60_000; pid > 0 && isAlive(pid); await sleep(20))
    if (Date.now() > giveUpAt) throw new Error(`process ${pid} still runs`);
};
const query = async (url: string, sql: string): Promise<unknown[]> => {
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
};
const eventually = async (check: () => Promise<unknown>): Promise<void> => {
  for (const giveUpAt = Date.now() + 60_000; ; await sleep(50)) {
    try {
      return void (await check());
    } catch (error) {
      if (Date.now() > giveUpAt) throw error;
    }
  }
};

describe('holdfast up', () => {
  it('starts, says what to do next, and at Ctrl-C stops everything in order', async () => {
    mkdirSync(home()); // Empty: a first start.
    const { run, stack } = await up();
    expect(run.stdout()).toContain('DEVELOPMENT');
    expect(run.stdout()).toContain(stack.endpoint);
    expect(run.stdout().match(/^ {2}(export|aws) /gm)).toHaveLength(3);
    expect(statSync(homePaths(home()).stack).mode & 0o777).toBe(0o600);
    expect(await interrupt(run)).toBe(0);
    expect(run.stderr()).toMatch(/closed volumes\n[^]*closed kms\n/);
    expect([stack.postgres.pid, stack.nats.pid ?? 0].map(isAlive)).toEqual([false, false]);
    expect(existsSync(homePaths(home()).stack)).toBe(false);
    expect(existsSync(homePaths(home()).lock)).toBe(false);
  });

  it('gives each service its own database, whose schema the service itself cannot change', async () => {
    const { stack } = await up();
    const { kms, volumes } = stack.databases;
    await expect(query(kms!.serviceUrl, 'DELETE FROM events')).rejects.toThrow('permission denied');
    await expect(query(kms!.serviceUrl, 'CREATE TABLE t (n int)')).rejects.toThrow('permission denied');
    await expect(query(kms!.serviceUrl.replace(/\/kms(?=\?|$)/, '/volumes'), 'SELECT 1')).rejects.toThrow(
      'permission denied',
    );
    expect(volumes!.serviceUrl).not.toContain(new URL(kms!.serviceUrl).password);
    const [event] = (await query(kms!.serviceUrl, 'SELECT data FROM events ORDER BY global_position DESC')) as [
      { data: object },
    ];
    expect(event.data).toMatchObject({
      mode: 'development',
      nats: stack.nats.servers,
      settings: { rootKeyFile: homePaths(stack.home).rootKey },
    });
  });

  it('goes on with its state, also after kill -9, which leaves no server running for long', async () => {
    const { run, stack } = await up();
    await query(stack.postgres.url, 'CREATE TABLE kept AS SELECT 42 AS n');
    run.child.kill('SIGKILL');
    await run.ended;
    const again = await up();
    await gone(stack.postgres.pid);
    await gone(stack.nats.pid!);
    expect(await query(again.stack.postgres.url, 'SELECT n FROM kept')).toEqual([{ n: 42 }]);
    expect(await query(again.stack.databases['kms']!.serviceUrl, 'SELECT type FROM events')).toHaveLength(3);
  });

  it.runIf(process.platform === 'linux')(
    'leaves no server behind when it is killed and never started again',
    async () => {
      const { run, stack } = await up();
      run.child.kill('SIGKILL');
      await run.ended;
      await gone(stack.postgres.pid);
      await gone(stack.nats.pid!);
    },
  );

  it('starts a server that dies again, on the same port', async () => {
    const { run, stack } = await up();
    process.kill(stack.postgres.pid, 'SIGKILL');
    process.kill(stack.nats.pid!, 'SIGKILL');
    await run.says('Postgres runs again');
    await run.says('nats-server runs again');
    const { user, password: pass, servers } = stack.nats;
    await eventually(() => query(stack.postgres.url, 'SELECT 1'));
    await eventually(async () => (await connect({ servers, user, pass })).close());
    const now = readStackFile(home());
    expect(now.postgres.port).toBe(stack.postgres.port);
    expect(now.postgres.pid).not.toBe(stack.postgres.pid);
    expect(await interrupt(run)).toBe(0);
    expect([now.postgres.pid, now.nats.pid!].map(isAlive)).toEqual([false, false]);
  });

  it('runs side by side with another one, but not on the same home', async () => {
    const [a, b] = await Promise.all([up(), up([], { HOLDFAST_HOME: home('other') })]);
    expect(a.stack.endpoint).not.toBe(b.stack.endpoint);
    const third = start();
    expect(await third.ended).toBe(1);
    expect(third.stderr()).toBe(
      `holdfast: a stack already runs on ${a.stack.home} (process ${a.stack.pid}): stop it, or set HOLDFAST_HOME to another folder\n`,
    );
    expect(await query(a.stack.postgres.url, 'SELECT 1 AS n')).toEqual([{ n: 1 }]);
  });

  it('refuses a taken port with one line', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    try {
      mkdirSync(home());
      const run = start(['--port', String((taken.address() as AddressInfo).port)]);
      expect(await run.ended).toBe(1);
      expect(run.stderr()).toContain('is taken by another program: choose another with --port or HOLDFAST_PORT');
      expect(run.stderr().trim().split('\n')).toHaveLength(1);
    } finally {
      taken.close();
    }
  });

  it('refuses a state folder of another version, an unknown variable, a NATS_URL that nobody answers', async () => {
    mkdirSync(home());
    writeFileSync(homePaths(home()).version, '99\n');
    const expected: [Record<string, string>, string][] = [
      [{}, 'has layout version 99, this program reads version 1'],
      [{ HOLDFAST_HOEM: 'x' }, 'unknown variable HOLDFAST_HOEM'],
      [
        { HOLDFAST_HOME: home('b'), NATS_URL: 'nats://me:secret@127.0.0.1:1' },
        'NATS_URL: nats://127.0.0.1:1 cannot be used',
      ],
    ];
    for (const [environment, message] of expected) {
      const run = start([], environment);
      expect(await run.ended, message).toBe(1);
      expect(run.stderr()).toContain(message);
      expect(run.stderr()).not.toContain('secret');
      expect(run.stderr().trim().split('\n')).toHaveLength(1);
    }
  });

  it('uses the server of NATS_URL', async () => {
    const { stack } = await up();
    const { user, password, servers } = stack.nats;
    const url = servers.replace('//', `//${user}:${password}@`);
    const second = await up([], { HOLDFAST_HOME: home('b'), NATS_URL: url });
    expect(second.stack.nats).toEqual({ servers, user, password });
    expect(await interrupt(second.run)).toBe(0);
    expect(isAlive(stack.nats.pid!)).toBe(true);
  });

  it('with --ephemeral leaves nothing behind', async () => {
    const run = start(['--ephemeral']);
    await run.ready();
    const place = /state {8}(\S+) \(removed at the end\)/.exec(run.stdout())?.[1] ?? '';
    expect(existsSync(join(place, 'version'))).toBe(true);
    expect(existsSync(home())).toBe(false);
    expect(await interrupt(run)).toBe(0);
    expect(existsSync(place)).toBe(false);
  });
});

describe('holdfast up with services that fail', () => {
  const withService = async (source: string, test: () => Promise<void>): Promise<void> => {
    program.addService('identity', source);
    try {
      await test();
    } finally {
      program.removeService('identity');
    }
  };

  it('stops again when one does not start, and names it', () =>
    withService(`export const start = async () => { throw new Error('no luck'); };`, async () => {
      const run = start();
      expect(await run.ended).toBe(1);
      expect(run.stderr()).toContain('identity does not start: no luck');
      expect(run.stderr()).toContain('closed kms');
      expect(existsSync(homePaths(home()).lock)).toBe(false);
      expect(existsSync(join(home(), 'postgres', 'postmaster.pid'))).toBe(false);
    }));

  it('ends at once at the second Ctrl-C, but not at an echo of the first', () =>
    withService(
      `export const start = async () => ({ name: 'identity', close: () => new Promise(() => setTimeout(() => {}, 60000)) });`,
      async () => {
        const { run, stack } = await up();
        run.child.kill('SIGINT');
        await sleep(5); // Else the two may become one. More might be too late for an echo.
        run.child.kill('SIGINT');
        await run.says('once more to stop at once');
        await sleep(600);
        expect(run.child.exitCode).toBe(null);
        expect(await interrupt(run)).toBe(130);
        await gone(stack.postgres.pid);
        await gone(stack.nats.pid!);
      },
    ));

  it('stops in order when one throws where nobody catches', () =>
    withService(
      `export const start = async () => { setTimeout(() => { throw new Error('a bug'); }, 300);
         return { name: 'identity', close: async () => {} }; };`,
      async () => {
        const run = start();
        expect(await run.ended).toBe(1);
        expect(run.stderr()).toContain('a bug');
        expect(run.stderr()).toContain('closed kms');
        expect(existsSync(join(home(), 'postgres', 'postmaster.pid'))).toBe(false);
      },
    ));
});

describe('the other commands', () => {
  const command = (...args: string[]): Run => {
    const run = program.run(args, { HOLDFAST_HOME: home(), HOLDFAST_PORT: '0' });
    runs.push(run);
    return run;
  };

  it('events prints one timeline of all services, and follows', async () => {
    const { stack } = await up();
    const once = command('events', '--json');
    expect(await once.ended).toBe(0);
    const events = once
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { service: string; type: string });
    expect(new Set(events.map(({ service, type }) => `${service} ${type}`))).toEqual(
      new Set(['kms Started', 'volumes Started']),
    );

    const none = command('events', '--since', '2099-01-01');
    expect([await none.ended, none.stdout()]).toEqual([0, '']);

    const following = command('events', '--follow');
    await eventually(async () => expect(following.stdout()).toContain('s-kms@1'));
    await query(
      stack.databases['kms']!.ownerUrl,
      `INSERT INTO events (stream_id, version, type, data, metadata) VALUES ('s-kms', 2, 'Later', '{}', '{}')`,
    );
    await eventually(async () => expect(following.stdout()).toContain('Later'));
    expect(following.stdout().match(/Later/g)).toHaveLength(1);
    expect(await interrupt(following)).toBe(0);
  });

  it('events says when no stack runs', async () => {
    const run = command('events');
    expect(await run.ended).toBe(1);
    expect(run.stderr()).toContain('no stack runs on');
  });

  it('doctor finds what is wrong, and leaves nothing behind', async () => {
    const run = command('doctor');
    expect(await run.ended).toBe(1);
    expect(run.stdout()).toMatch(/^ok {4}Node/m);
    expect(run.stdout()).toMatch(/^ok {4}Postgres {6}18\./m);
    expect(run.stdout()).toMatch(/^FAIL {2}services {6}not built: api-gateway/m);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('a misspelt command is refused', async () => {
    expect(await command('pu').ended).toBe(1);
  });
});

it('keeps all passwords in files for their owner only', async () => {
  const { stack } = await up();
  const password = new URL(stack.postgres.url).password;
  const holders = readdirSync(home(), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.parentPath.includes('postgres'))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => readFileSync(path).includes(password) || readFileSync(path).includes(stack.nats.password ?? ''));
  expect(holders.length).toBeGreaterThan(1);
  for (const path of holders) expect(statSync(path).mode & 0o077, path).toBe(0);
});
