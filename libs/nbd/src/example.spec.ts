import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { NbdClient } from './client/index.ts';
import { serveNbd } from './index.ts';
import { MemoryBackend } from './testing/memory-backend.ts';

it('the example of the README works', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'nbd-'));
  const socketPath = join(folder, 'sdf');
  const backend = new MemoryBackend(4096);
  // example
  const server = await serveNbd({
    listen: { socketPath },
    exports: (name) => (name === '' ? backend : null), // The default export has the empty name.
  });

  const client = await NbdClient.connect(socketPath); // Of @holdfast/nbd/client, for programs and tests.
  await client.write(512, Buffer.from('any byte range'), { fua: true });
  const bytes = await client.read(512, 14);
  await client.close();

  await server.close(); // Finishes what is under way, flushes, ends the connections.
  // end
  await rm(folder, { recursive: true });
  expect(bytes.toString()).toBe('any byte range');
  expect(backend.durable.equals(backend.bytes)).toBe(true);
});

it('the example of the README is the one above', () => {
  const source = readFileSync(new URL(import.meta.url), 'utf8');
  const [, example = ''] = /\/\/ example\n(.*?)\n *\/\/ end/s.exec(source) ?? [];
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  expect(example).not.toBe('');
  expect(readme).toContain(example.replace(/^ {2}/gm, ''));
});
