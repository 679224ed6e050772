import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { serveNbd } from '../server.ts';
import type { NbdServer } from '../server.ts';
import { MemoryBackend } from '../testing/memory-backend.ts';
import { NbdClient, NbdClientError } from './nbd-client.ts';

let folder: string;
let server: NbdServer;
let client: NbdClient;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nbd-client-'));
  const socketPath = join(folder, 'disk');
  const backend = new MemoryBackend(1 << 20);
  server = await serveNbd({ listen: { socketPath }, exports: (name) => (name === '' ? backend : null) });
  client = await NbdClient.connect(socketPath);
});
afterEach(async () => {
  await client.close();
  await server.close();
  await rm(folder, { recursive: true });
});

describe('the NBD client', () => {
  it('knows the size of the export', () => {
    expect(client.sizeBytes).toBe(1 << 20);
  });

  it('reads what it wrote, at any offset and with many requests in flight', async () => {
    const parts = Array.from({ length: 64 }, (_, i) => Buffer.alloc(1000 + i, i + 1));
    await Promise.all(parts.map((part, i) => client.write(i * 5000 + 3, part)));
    await client.flush();
    const read = await Promise.all(parts.map((part, i) => client.read(i * 5000 + 3, part.length)));
    expect(read.every((data, i) => data.equals(parts[i]!))).toBe(true);
  });

  it('writes zeroes and trims', async () => {
    await client.write(0, Buffer.alloc(8192, 7), { fua: true });
    await client.writeZeroes(0, 4096);
    await client.trim(4096, 4096);
    expect((await client.read(0, 4096)).every((byte) => byte === 0)).toBe(true);
  });

  it('rejects what the server refuses, and goes on', async () => {
    await expect(client.read(1 << 20, 1)).rejects.toBeInstanceOf(NbdClientError);
    await expect(client.read(0, 1)).resolves.toHaveLength(1);
  });

  it('rejects everything in flight when the server goes away', async () => {
    await server.close();
    await expect(client.read(0, 1)).rejects.toThrow();
  });
});
