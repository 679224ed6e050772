import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FaultyBlockDevice } from './faulty-block-device.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'holdfast-faulty-'))));
afterEach(() => rmSync(folder, { recursive: true }));

/** Two pages synced as 1, then written as 2. */
const afterPowerCut = (seed: number): string => {
  const disk = new FaultyBlockDevice(seed);
  const path = join(folder, String(seed));
  const file = disk.openFile(path, 'create');
  file.writeSync(Buffer.alloc(8192, 1), 0);
  file.syncSync();
  file.writeSync(Buffer.alloc(8192, 2), 0);
  disk.cutPower();
  expect(() => file.writeSync(Buffer.alloc(1), 0)).toThrow();
  const found = Buffer.alloc(8192);
  disk.openFile(path, 'existing').readSync(found, 0);
  return `${found[0]}${found[4096]}`;
};

describe('a faulty disk', () => {
  it('loses and tears what was not synced, in every way, the same for the same seed', () => {
    const outcomes = Array.from({ length: 64 }, (_, seed) => afterPowerCut(seed));
    expect([...new Set(outcomes)].sort()).toEqual(['11', '12', '21', '22']);
    rmSync(folder, { recursive: true });
    folder = mkdtempSync(join(tmpdir(), 'holdfast-faulty-'));
    expect(Array.from({ length: 64 }, (_, seed) => afterPowerCut(seed))).toEqual(outcomes);
  });

  it('loses nothing when only the process is killed', () => {
    const disk = new FaultyBlockDevice(1);
    const path = join(folder, 'file');
    disk.openFile(path, 'create').writeSync(Buffer.from('kept'), 5000);
    disk.kill();
    const found = Buffer.alloc(4);
    disk.openFile(path, 'existing').readSync(found, 5000);
    expect(found.toString()).toBe('kept');
  });
});
