import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { CommandHandler, subscribe } from './index.ts';
import { MemoryEventStore } from './memory/index.ts';
import { appendOptions } from './testing/fixtures.ts';

type VolumeEvent = { readonly type: 'VolumeCreated'; readonly sizeGiB: number };
const volumeDecider = {
  initialState: 'absent',
  evolve: () => 'available',
  decide: ({ sizeGiB }: { sizeGiB: number }, state: string): VolumeEvent[] =>
    state === 'absent' ? [{ type: 'VolumeCreated', sizeGiB }] : [],
};

it('the example of the README works', async () => {
  const options = appendOptions;
  const stop = new AbortController();
  const lines: string[] = [];
  // example
  const store = new MemoryEventStore({ service: 'volumes' });
  const volumes = new CommandHandler(store, volumeDecider, (id) => `volume-${id}`);
  await volumes.handle('vol-1', { sizeGiB: 8 }, options);

  const following = subscribe({
    store,
    checkpointName: 'timeline',
    handler: async ({ streamId, version, type }) => void lines.push(`${streamId} ${String(version)} ${type}`),
    signal: stop.signal,
  });
  // end
  while (lines.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  stop.abort();
  await following;
  expect(lines).toEqual(['volume-vol-1 1 VolumeCreated']);
});

it('the example of the README is the one above', () => {
  const source = readFileSync(new URL(import.meta.url), 'utf8');
  const [, example = ''] = /\/\/ example\n(.*?)\n *\/\/ end/s.exec(source) ?? [];
  const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
  expect(example).not.toBe('');
  expect(readme).toContain(example.replace(/^ {2}/gm, ''));
});
