import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FolderBlockStore, StoreLayout } from '@holdfast/block-store';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { blocksVerify } from './blocks-verify.ts';

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
