import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startNats, type RunningNats } from './nats.ts';
import { isAlive } from './processes.ts';

let folder: string;
let started: RunningNats[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-nats-'));
  started = [];
});
afterEach(async () => {
  await Promise.all(started.map((server) => server.stop()));
  rmSync(folder, { recursive: true, force: true });
});

const access = { user: 'somebody', password: 'sec"ret \\ $PATH' };
const start = async (options: Partial<Parameters<typeof startNats>[0]> = {}): Promise<RunningNats> => {
  const server = await startNats({ storeDir: join(folder, 'nats'), ...access, ...options });
  started.push(server);
  return server;
};
const use = async <T>({ servers }: RunningNats, work: (connection: NatsConnection) => Promise<T>): Promise<T> => {
  const connection = await connect({ servers, user: access.user, pass: access.password, maxReconnectAttempts: 0 });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
};
const keepMessage = (server: RunningNats) =>
  use(server, async (connection) => {
    await (await jetstreamManager(connection)).streams.add({ name: 'KEPT', subjects: ['kept'] });
    await jetstream(connection).publish('kept', 'hello');
  });
const keptMessages = (server: RunningNats) =>
  use(server, async (connection) => (await (await jetstreamManager(connection)).streams.info('KEPT')).state.messages);

describe('an embedded nats-server', () => {
  it('asks for the password, whatever characters it has, and keeps its configuration to itself', async () => {
    const server = await start();
    await expect(connect({ servers: server.servers, maxReconnectAttempts: 0 })).rejects.toThrow(/authorization/i);
    await keepMessage(server);
    const configuration = join(folder, 'nats', 'nats-server.conf');
    expect(statSync(configuration).mode & 0o777).toBe(0o600);
    // Its own 2 seconds are too few for a client that starts on a busy machine.
    expect(readFileSync(configuration, 'utf8')).toMatch(/^authorization \{.*, timeout: 60 \}$/m);
    expect(server.servers).toBe(`nats://127.0.0.1:${server.port}`);
  });

  it('takes messages of 8 MiB', async () => {
    const server = await start();
    expect(await use(server, async (connection) => connection.info?.max_payload)).toBe(8 * 1024 * 1024);
  });

  it('keeps its streams over stop and over kill -9', async () => {
    const first = await start();
    await keepMessage(first);
    await first.stop();
    expect(isAlive(first.pid)).toBe(false);
    const second = await start();
    expect(await keptMessages(second)).toBe(1);
    process.kill(second.pid, 'SIGKILL');
    await second.exited;
    const third = await start({ port: second.port });
    expect(third.port).toBe(second.port);
    expect(await keptMessages(third)).toBe(1);
  });

  it('replaces a server that an earlier run left behind, and no other', async () => {
    const other = await start({ storeDir: join(folder, 'other') });
    const orphan = await start();
    const second = await start();
    expect([other, orphan, second].map(({ pid }) => isAlive(pid))).toEqual([true, false, true]);
  });

  it('says why it does not start', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    try {
      const { port } = taken.address() as AddressInfo;
      await expect(start({ port })).rejects.toThrow(/nats-server does not start: .*address already in use/);
    } finally {
      taken.close();
    }
  });
});
