import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { scanForPlaintext } from './plaintext-scan.ts';

const TEXT = 'a text that is looked for';
const NEEDLES = [Buffer.from('absent'), Buffer.from(TEXT)];
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-scan-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('the search for plaintext', () => {
  it('finds nothing where there is nothing', async () => {
    await writeFile(join(folder, 'a'), 'another text');
    expect(await scanForPlaintext(folder, NEEDLES)).toEqual({ fileCount: 1, scannedBytes: 12, found: [] });
  });

  it('finds a text in a folder below, across the border of what is read at once', async () => {
    await mkdir(join(folder, 'below'));
    const path = join(folder, 'below', 'file');
    await writeFile(path, `${'x'.repeat((1 << 20) - 5)}${TEXT}`);
    expect((await scanForPlaintext(folder, NEEDLES)).found).toEqual([path]);
  });

  it('finds a text at the end of a hole of a gigabyte', async () => {
    const path = join(folder, 'sparse');
    const file = await open(path, 'w');
    await file.truncate(2 ** 30);
    await file.write(Buffer.from(TEXT), 0, TEXT.length, 2 ** 30 - 100);
    await file.close();
    const { found, scannedBytes } = await scanForPlaintext(folder, NEEDLES);
    expect(found).toEqual([path]);
    expect(scannedBytes).toBeLessThan(1 << 20);
  });
});
