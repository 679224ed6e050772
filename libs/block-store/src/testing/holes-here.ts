import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { punchHole } from '../holes.ts';

/** Whether files of tests can have holes punched into them; says so where not. */
export const holesHere = (): boolean => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-holes-'));
  const fd = openSync(join(folder, 'probe'), 'w+');
  try {
    writeSync(fd, Buffer.alloc(8192, 1));
    if (punchHole(fd, 4096, 4096)) return true;
    process.stderr.write('NOT RUN: space given back by trimming: no addon, or no file system for it\n');
    return false;
  } finally {
    closeSync(fd);
    rmSync(folder, { recursive: true });
  }
};
