import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { IntentFile, storeBlocks } from './background.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';

it('a copy that fails has no put of its own going on any more', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-background-'));
  const intent = new IntentFile(join(folder, 'intent'));
  let [begun, ended] = [0, 0];
  const store = {
    put: async () => {
      const turns = begun++ * 20;
      if (turns === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      for (let turn = 0; turn < turns; turn++) await nextTurn();
      ended++;
    },
    settle: () => Promise.resolve(),
    get: () => Promise.reject(new Error('nothing is read')),
  };
  const blocks = [0, 1, 2].map((block) => [block, randomBytes(BLOCK_SIZE_BYTES)] as const);
  await expect(storeBlocks(store, intent, blocks)).rejects.toMatchObject({ code: 'ENOSPC' });
  expect([begun, ended]).toEqual([3, 2]);
  intent.close();
  rmSync(folder, { recursive: true });
});
