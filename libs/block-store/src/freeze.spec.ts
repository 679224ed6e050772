import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { discardJobFiles } from './freeze.ts';
import { StoreLayout } from './layout.ts';

it('a host that clears up after a freeze does not mind that the snapshot was removed at that moment', () => {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-freeze-'));
  const paths = new StoreLayout(root).snapshot('snap-00000001');
  expect(() => discardJobFiles(paths)).not.toThrow();
  expect(existsSync(paths.folder)).toBe(false);
  rmSync(root, { recursive: true });
});
