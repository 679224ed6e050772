import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readFileDirectly, writeNewFileDirectly } from './direct-io.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-direct-'));
  path = join(folder, 'file');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** The allocator gives large memory 16 bytes past a page, so that one of these is aligned. */
const PLACES = [0, 1, 512, 4_080];
const memoryAt = (place: number) => Buffer.alloc(BLOCK_SIZE_BYTES + 4_096).subarray(place, place + BLOCK_SIZE_BYTES);

describe('a file past the page cache', () => {
  it.each(PLACES)('is what was written, wherever its bytes lie in memory: %i', async (place) => {
    const bytes = memoryAt(place);
    randomBytes(BLOCK_SIZE_BYTES).copy(bytes);
    await writeNewFileDirectly(path, bytes);
    expect(readFileSync(path).equals(bytes)).toBe(true);
    const target = memoryAt(place);
    expect(await readFileDirectly(path, target)).toBe(true);
    expect(target.equals(bytes)).toBe(true);
  });

  it('is not read when it is shorter or longer than there is room for', async () => {
    for (const lengthBytes of [0, 100, BLOCK_SIZE_BYTES - 4_096, BLOCK_SIZE_BYTES + 1]) {
      writeFileSync(path, randomBytes(lengthBytes));
      for (const place of PLACES) expect(await readFileDirectly(path, memoryAt(place))).toBe(false);
    }
    truncateSync(path, BLOCK_SIZE_BYTES);
    expect(await readFileDirectly(path, memoryAt(0))).toBe(true);
  });

  it('has to be there, and takes what has no whole number of pages', async () => {
    await expect(readFileDirectly(path, memoryAt(0))).rejects.toThrow('ENOENT');
    await writeNewFileDirectly(path, Buffer.from('some'));
    expect(readFileSync(path, 'utf8')).toBe('some');
  });
});
