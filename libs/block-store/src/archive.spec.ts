import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { restoreArchive, writeArchive } from './archive.ts';
import { digestOf, FolderBlockStore } from './block-store.ts';
import { makeDirectory } from './durable-files.ts';
import { collectGarbage } from './garbage.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import { StoreLayout } from './layout.ts';
import { Manifest } from './manifest.ts';

let layout: StoreLayout;
beforeEach(() => {
  layout = new StoreLayout(mkdtempSync(join(tmpdir(), 'holdfast-archive-')));
  makeDirectory(layout.blocks);
});
afterEach(() => rmSync(layout.root, { recursive: true }));

it('an archive brings back every block, also one that a client put and that is all zeros', async () => {
  const store = new FolderBlockStore(layout.blocks);
  const paths = layout.snapshot('snap-00000001');
  makeDirectory(paths.folder);
  const contents = [
    Buffer.alloc(BLOCK_SIZE_BYTES),
    Buffer.concat([randomBytes(64), Buffer.alloc(BLOCK_SIZE_BYTES - 64)]),
  ];
  const blocks = await Promise.all(
    contents.map(async (bytes, index) => {
      const digest = await digestOf(bytes);
      await store.put(digest, bytes);
      return [index, digest] as const;
    }),
  );
  await store.settle();
  const header = { snapshotId: 'snap-00000001', sizeGiB: 1, dataKey: null, parentSnapshotId: null };
  Manifest.of(header, blocks).write(paths.manifest);
  const work = { signal: new AbortController().signal, onProgress: () => undefined };
  await writeArchive(paths, readFileSync(paths.manifest), store, work);
  rmSync(paths.manifest);
  expect(await collectGarbage(layout)).toEqual({ keptBlocks: 0, removedBlocks: 2 });
  await restoreArchive(paths, store, work);
  for (const [index, digest] of Manifest.read(paths.manifest))
    expect((await store.get(digest)).equals(contents[index] ?? Buffer.of())).toBe(true);
});
