import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openNodeFile, type OpenFile } from './backing-file.ts';
import { VolumeMap } from './volume-map.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'holdfast-map-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const BLOCKS = 2_048;
const bootId = 'this boot';

/** As if the process were killed before the write after so many. */
const killedAfter =
  (writes: () => number): OpenFile =>
  (path, mode) => {
    const file = openNodeFile(path, mode);
    const writeSync: typeof file.writeSync = (data, offsetBytes) => {
      if (writes() <= 0) throw new Error('killed');
      file.writeSync(data, offsetBytes);
    };
    return {
      sizeBytes: file.sizeBytes,
      readSync: (target, offsetBytes) => file.readSync(target, offsetBytes),
      read: (target, offsetBytes) => file.read(target, offsetBytes),
      writeSync,
      syncSync: () => file.syncSync(),
      sync: () => file.sync(),
      close: () => file.close(),
    };
  };

it.each([0, 1, 2, 3])('a map whose process is killed at the %i. write of a new epoch names no changes of another', (kill) => {
  const path = join(folder, 'map');
  VolumeMap.create(path, BLOCKS, { baseline: 'snap-before' });
  let left = Number.POSITIVE_INFINITY;
  const map = VolumeMap.open(path, BLOCKS, { openFile: killedAfter(() => left--), bootId });
  map.beginWrite();
  map.markChanged(7);
  left = kill;
  expect(() => map.startEpoch('snap-after')).toThrow('killed');
  map.close();
  const { baseline, changed } = VolumeMap.open(path, BLOCKS, { openFile: openNodeFile, bootId });
  if (baseline === 'snap-before') expect(changed.get(7)).toBe(true);
  else expect([baseline, changed.count]).toEqual([null, BLOCKS]);
}); // prettier-ignore
