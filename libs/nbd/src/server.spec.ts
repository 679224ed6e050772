import { once } from 'node:events';
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { NbdClient } from './client/index.ts';
import { encodeClientFlags, encodeExportRequest, encodeOption, encodeRequest } from './client-messages.ts';
import { serveNbd, type NbdServer, type NbdServerOptions } from './server.ts';
import { MemoryBackend } from './testing/memory-backend.ts';
import { DelayedBackend } from './testing/transmission-driver.ts';
import { Command, NbdErrno, Option } from './wire.ts';

const MIB = 1024 * 1024;
let folder: string;
let socketPath: string;
let server: NbdServer | null;
let errors: Error[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nbd-'));
  socketPath = join(folder, 'sdf');
  server = null;
  errors = [];
});
afterEach(async () => {
  await server?.close({ graceMs: 50 }).catch(() => undefined);
  await rm(folder, { recursive: true, force: true });
});

const start = async (
  backend: MemoryBackend | DelayedBackend = new MemoryBackend(4 * MIB),
  options: Partial<NbdServerOptions> = {},
) => {
  server = await serveNbd({
    listen: { socketPath },
    exports: (name) => (name === '' ? backend : null),
    onConnectionError: (error) => errors.push(error),
    ...options,
  });
  return server;
};
const dial = () => NbdClient.connect(socketPath);
const pattern = (length: number, seed: number): Buffer => Buffer.alloc(length, Buffer.from([seed, 1, seed + 2, 3, 4]));

/** A connection that says whatever a test wants, and collects what it hears. */
const dialRaw = async (): Promise<{ socket: Socket; heard: () => Buffer; closed: Promise<unknown> }> => {
  const socket = connect(socketPath);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close');
  await once(socket, 'connect');
  return { socket, heard: () => Buffer.concat(chunks), closed };
};
const intoTransmission = [encodeClientFlags(3), encodeOption(Option.Go, encodeExportRequest('', []))];

describe('a client', () => {
  it('reads and writes, small and large, many at once', async () => {
    await start(new MemoryBackend(64 * MIB));
    const client = await dial();
    expect(client.sizeBytes).toBe(64 * MIB);
    const writes = Array.from({ length: 100 }, (_, i) => client.write(i * 10_000, pattern(9000, i)));
    writes.push(client.write(30 * MIB, pattern(32 * MIB, 7)));
    await Promise.all(writes);
    const reads = await Promise.all(Array.from({ length: 100 }, (_, i) => client.read(i * 10_000, 9000)));
    reads.forEach((data, i) => expect(data.equals(pattern(9000, i))).toBe(true));
    expect((await client.read(30 * MIB, 32 * MIB)).equals(pattern(32 * MIB, 7))).toBe(true);
    await client.close();
  });

  it('sees an error as one, and goes on', async () => {
    await start();
    const client = await dial();
    await expect(client.read(4 * MIB, 1)).rejects.toMatchObject({ errno: NbdErrno.EINVAL });
    await expect(client.write(4 * MIB, Buffer.alloc(1))).rejects.toMatchObject({ errno: NbdErrno.ENOSPC });
    await client.trim(0, MIB, { fua: true });
    await client.writeZeroes(0, MIB, { mayTrim: false });
    expect(await client.read(4 * MIB - 1, 1)).toEqual(Buffer.alloc(1));
  });

  it('is refused an unknown export', async () => {
    await start();
    await expect(NbdClient.connect(socketPath, 'nope')).rejects.toThrow('refuses the export');
  });

  it('sees through one connection what another wrote, and its flush covers both', async () => {
    const backend = new MemoryBackend(4 * MIB);
    await start(backend);
    const [first, second] = [await dial(), await dial()];
    await first.write(0, pattern(5000, 1));
    expect((await second.read(0, 5000)).equals(pattern(5000, 1))).toBe(true);
    await second.flush();
    expect(backend.durable.equals(backend.bytes)).toBe(true);
    expect(server?.stats()).toMatchObject({ connections: 2, connectionsTotal: 2 });
  });

  it('may use TCP', async () => {
    await start(new MemoryBackend(MIB), { listen: { host: '127.0.0.1', port: 0 } });
    const { address } = server!;
    if (typeof address === 'string') throw new Error('not an address');
    const client = await NbdClient.connect({ host: '127.0.0.1', port: address.port });
    await client.write(5, pattern(100, 1));
    expect((await client.read(5, 100)).equals(pattern(100, 1))).toBe(true);
    await client.close();
  });

  it('keeps the bytes of writes that take time while more arrive', async () => {
    const memory = new MemoryBackend(4 * MIB);
    const backend = new DelayedBackend(memory);
    await start(backend);
    const client = await dial();
    const writes = Array.from({ length: 40 }, (_, i) => client.write(i * 60_000, pattern(60_000, i)));
    let done = 0;
    void Promise.all(writes).then(() => (done = 1));
    for (let pick = 5; done === 0; pick += 7) {
      if (backend.waiting > 0) await backend.finishOne(pick);
      else await new Promise((resolve) => setImmediate(resolve));
    }
    for (let i = 0; i < 40; i += 1) {
      expect(memory.bytes.subarray(i * 60_000, (i + 1) * 60_000).equals(pattern(60_000, i))).toBe(true);
    }
  });
});

describe('a hostile client', () => {
  /** Every other connection must go on. */
  const expectAlive = async (): Promise<void> => {
    const client = await dial();
    expect(await client.read(0, 10)).toEqual(Buffer.alloc(10));
    await client.close();
  };

  it.each([
    ['noise instead of flags', [Buffer.from('GET / HTTP/1.1\r\n\r\n')]],
    ['an option magic that is wrong', [encodeClientFlags(3), Buffer.alloc(16)]],
    ['an oversize option', [encodeClientFlags(3), encodeOption(Option.Go, Buffer.alloc(20_000))]],
    ['a request magic that is wrong', [...intoTransmission, Buffer.alloc(28, 1)]],
    [
      'an oversize write',
      [...intoTransmission, encodeRequest({ type: Command.Write, cookie: 1n, lengthBytes: 0xffff_ffff })],
    ],
  ])('is cut off for %s', async (_, messages) => {
    await start();
    const { socket, closed } = await dialRaw();
    for (const message of messages) socket.write(message);
    await closed;
    expect(errors.map(({ name }) => name)).toEqual(['NbdProtocolError']);
    expect(server?.stats().connectionsRefused).toBe(1);
    await expectAlive();
  });

  it('is cut off when the handshake takes too long', async () => {
    await start(undefined, { handshakeTimeoutMs: 100 });
    const { socket, closed } = await dialRaw();
    socket.write(encodeClientFlags(3));
    await closed;
    expect(errors[0]?.message).toBe('the handshake took too long');
    // A machine that pauses is cut off as well, and dials again.
    const client = await vi.waitFor(dial, { timeout: 30_000, interval: 1 });
    await new Promise((resolve) => setTimeout(resolve, 150)); // The time is for the handshake only.
    await client.read(0, 1);
  });

  it('is cut off beyond the limit of connections', async () => {
    await start(undefined, { maxConnections: 2 });
    const clients = [await dial(), await dial()];
    await expect(dial()).rejects.toThrow();
    await clients[0]?.close();
    while (server?.stats().connections !== 1) await new Promise((resolve) => setImmediate(resolve));
    await expectAlive();
  });

  it('waits for the memory that others hold, however large its requests', async () => {
    const reads: number[] = [];
    const memory = new MemoryBackend(16 * MIB);
    const backend = new DelayedBackend(memory);
    await start(backend, { maxSharedBytes: 8 * MIB });
    const clients = await Promise.all(Array.from({ length: 8 }, dial));
    const answers = clients.flatMap((client, i) => [
      client.read(0, 4 * MIB).then(() => reads.push(i)),
      client.write(4 * MIB, pattern(6 * MIB, i)),
    ]);
    const all = Promise.all(answers);
    let isDone = false;
    void all.then(() => (isDone = true));
    let most = 0;
    while (!isDone) {
      most = Math.max(most, backend.waiting);
      if (backend.waiting > 0) await backend.finishOne(0);
      else await new Promise((resolve) => setTimeout(resolve, 5));
    }
    expect(reads).toHaveLength(8);
    expect(most).toBeLessThanOrEqual(3);
    await Promise.all(clients.map((client) => client.close()));
  });

  it('gives way to another while it is in its handshake, and not when it is served', async () => {
    await start(undefined, { maxConnections: 3 });
    const client = await dial();
    const silent: Promise<unknown>[] = [];
    for (let i = 0; i < 20; i += 1) silent.push((await dialRaw()).closed);
    await (await dial()).close();
    await client.read(0, 1);
    await Promise.all(silent.slice(0, 17));
    expect(server?.stats()).toMatchObject({ connectionsRefused: errors.length });
    expect(errors[0]?.message).toContain('still in its handshake');
  });

  it('that reads no replies fills its own limit and no more', async () => {
    await start(undefined, { maxBytesInFlight: MIB });
    const { socket } = await dialRaw();
    for (const message of intoTransmission) socket.write(message);
    socket.pause();
    const request = encodeRequest({ type: Command.Read, cookie: 1n, lengthBytes: MIB });
    for (let i = 0; i < 1000; i += 1) socket.write(request);
    await expectAlive();
    const reads = () => server?.stats().commands.find(({ command }) => command === 'read')?.requests ?? 0;
    await vi.waitUntil(() => reads() > 0, { timeout: 30_000, interval: 1 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(reads()).toBeLessThan(10);
    socket.destroy();
  });

  it.each([new MemoryBackend(4 * MIB), new DelayedBackend(new MemoryBackend(4 * MIB))])(
    'that asks for more than fits at once gets all of it',
    async (backend) => {
      const server = await start(backend, { maxBytesInFlight: 200_000 });
      const client = await dial();
      let done = 0;
      const reads = Array.from({ length: 300 }, async (_, i) => {
        await (i % 3 === 0 ? client.write(i * 5000, pattern(5000, i)) : client.read(i * 5000, 65_536));
        done += 1;
      });
      while (done < reads.length) {
        if (backend instanceof DelayedBackend && backend.waiting > 0) await backend.finishOne(done);
        else await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(reads);
      expect(server.stats().commands.find(({ command }) => command === 'read')?.requests).toBe(200);
    },
  );

  it('that vanishes in the middle of a request does no harm', async () => {
    const backend = new DelayedBackend(new MemoryBackend(MIB));
    await start(backend);
    const { socket, closed } = await dialRaw();
    for (const message of intoTransmission) socket.write(message);
    socket.write(encodeRequest({ type: Command.Read, cookie: 1n, lengthBytes: 4096 }));
    while (backend.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    socket.destroy();
    await closed;
    await backend.finishOne(0);
    while (server?.stats().connections !== 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('that ends without DISC is answered what it asked before', async () => {
    await start();
    const { socket, heard, closed } = await dialRaw();
    for (const message of intoTransmission) socket.write(message);
    socket.end(encodeRequest({ type: Command.Flush, cookie: 0x1234n }));
    await closed;
    expect(heard().subarray(-16).toString('hex')).toBe('67446698000000000000000000001234');
  });
});

describe('closing', () => {
  it('finishes what is under way, flushes, and ends the connections', async () => {
    const memory = new MemoryBackend(MIB);
    const backend = new DelayedBackend(memory);
    await start(backend);
    const client = await dial();
    const write = client.write(0, pattern(100, 9));
    while (backend.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = server!.close();
    await expect(client.read(0, 1)).rejects.toMatchObject({ errno: NbdErrno.ESHUTDOWN });
    await expect(dial()).rejects.toThrow();
    await backend.finishOne(0);
    await write;
    while (backend.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    expect(memory.flushes).toBe(0);
    await backend.finishOne(0);
    await closed;
    expect(memory.durable.subarray(0, 100).equals(pattern(100, 9))).toBe(true);
    await expect(client.read(0, 1)).rejects.toThrow();
    await expect(stat(socketPath)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('leaves unanswered what comes too late for it, when it is to return', async () => {
    const backend = new DelayedBackend(new MemoryBackend(MIB));
    await start(backend);
    const client = await dial();
    const write = client.write(0, pattern(100, 9));
    while (backend.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    const closed = server!.close({ toReturn: true });
    const late = client.read(0, 1).then(
      () => 'answered',
      (error: unknown) => error,
    );
    await backend.finishOne(0);
    await write;
    while (backend.waiting === 0) await new Promise((resolve) => setImmediate(resolve));
    await backend.finishOne(0);
    await closed;
    expect(await late).toBeInstanceOf(Error);
    expect(await late).not.toHaveProperty('errno');
  });

  it('does not fail because a client takes no answers', async () => {
    const memory = new MemoryBackend(32 * MIB);
    await start(memory);
    const { socket } = await dialRaw();
    socket.pause();
    for (const message of intoTransmission) socket.write(message);
    socket.write(encodeRequest({ type: Command.Read, cookie: 1n, lengthBytes: 32 * MIB }));
    while (server!.stats().commands[0]?.requests !== 1) await new Promise((resolve) => setImmediate(resolve));
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const closed = server!.close({ graceMs: 2_000 });
      vi.advanceTimersByTime(1_000);
      await closed;
    } finally {
      vi.useRealTimers();
    }
    expect(memory.flushes).toBe(1);
    socket.destroy();
  });

  it('does not wait for a backend that never answers, nor for a client that does not listen', async () => {
    await start(new DelayedBackend(new MemoryBackend(MIB)));
    const client = await dial();
    const read = client.read(0, 1);
    read.catch(() => undefined);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await expect(server!.close({ graceMs: 50 })).rejects.toThrow('1 connections had requests under way');
    await expect(read).rejects.toThrow();
  });

  it('ends a client that is still in its handshake', async () => {
    await start();
    const { closed } = await dialRaw();
    await server!.close();
    await closed;
  });
});

describe('the unix socket', () => {
  it("is its owner's only", async () => {
    await start();
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
  });

  it('replaces what a dead server left', async () => {
    const dead = createServer().listen(join(folder, 'dead'));
    await once(dead, 'listening');
    const { rename } = await import('node:fs/promises');
    await rename(join(folder, 'dead'), socketPath);
    dead.close();
    await once(dead, 'close');
    expect((await stat(socketPath)).isSocket()).toBe(true);
    await start();
    await (await dial()).close();
  });

  it('is not taken from a server that listens', async () => {
    const first = await start();
    await expect(start()).rejects.toThrow('another server listens');
    server = first;
    await (await dial()).close();
  });

  it('does not replace a file', async () => {
    await writeFile(socketPath, 'precious');
    await expect(start()).rejects.toThrow('not a socket');
  });

  it('is refused when its path is longer than the system allows', async () => {
    socketPath = join(folder, 'x'.repeat(110));
    await expect(start()).rejects.toThrow('the system allows');
  });
});
