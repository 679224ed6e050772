import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  claimStore,
  FolderBlockStore,
  Manifest,
  putIndex,
  indexHere,
  makeDirectory,
  StoreLayout,
} from '@holdfast/block-store';
import { MemoryObjects } from '@holdfast/block-store/testing';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { blocksReindex, blocksVerify } from './blocks-verify.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'holdfast-blocks-'));
});
afterEach(() => rmSync(home, { recursive: true }));

const run = async (json = false) => {
  const lines: string[] = [];
  return { whole: await blocksVerify(home, json, (line) => lines.push(line)), text: lines.join('\n') };
};

it('needs a host', async () => {
  await expect(run()).rejects.toThrow('holds no volumes or snapshots');
});

it('tells what is damaged, and that it is', async () => {
  const { blocks } = new StoreLayout(join(home, 'data-plane'));
  const store = new FolderBlockStore(blocks);
  expect(await run()).toEqual({
    whole: true,
    text: '0 blocks, 0 references to them, 0 snapshots, 0 volumes: all are whole',
  });
  const digest = 'ab'.repeat(32);
  mkdirSync(join(store.root, 'ab'));
  writeFileSync(join(store.root, 'ab', digest.slice(2)), 'x');
  const { whole, text } = await run();
  expect(whole).toBe(false);
  expect(text).toContain(`block-damaged       ${digest}: it has 1 bytes\n`);
  expect(text).toContain('1 damaged or missing');
  expect(JSON.parse((await run(true)).text)).toMatchObject({ whole: false, findings: [{ subject: digest }] });
});

it('brings back what is in an object store, in the place of another host when that is said', async () => {
  const objects = new MemoryObjects();
  const before = new StoreLayout(join(home, 'before'));
  const paths = before.snapshot('snap-00000001');
  makeDirectory(paths.folder);
  await claimStore(objects, before.claim);
  const header = { snapshotId: 'snap-00000001', sizeGiB: 1, dataKey: null, parentSnapshotId: null };
  Manifest.of(header, []).write(paths.manifest);
  const index = indexHere(paths, 'snap-00000001', 'manifest');
  if (index !== null) await putIndex(objects, 'snap-00000001', 'manifest', index);
  const lines: string[] = [];
  const reindex = (takeOver: boolean) => blocksReindex(home, (line) => lines.push(line), objects, takeOver);
  await expect(reindex(false)).rejects.toThrow('holds no volumes or snapshots');
  expect(await reindex(true)).toBe(true);
  expect(lines).toEqual(['0 segments with 0 blocks are in the index', '1 snapshots that were not here: snap-00000001']);
  expect(await blocksVerify(home, false, () => undefined, objects)).toBe(true);
  await expect(blocksReindex(home, () => undefined, undefined)).rejects.toThrow('need no index');
});
