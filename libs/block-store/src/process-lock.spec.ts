import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockVolume, VolumeLocked } from './process-lock.ts';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'holdfast-lock-'))));
afterEach(() => rmSync(folder, { recursive: true }));

describe('the lock of a volume', () => {
  it('is one process’s at a time, and waits for its end', async () => {
    const path = join(folder, 'lock');
    const unlock = await lockVolume(path, 0);
    await expect(lockVolume(path, 100)).rejects.toThrow(VolumeLocked);
    const waiting = lockVolume(path, 60_000);
    setTimeout(unlock, 120);
    (await waiting)();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is taken over from a process that was killed', async () => {
    const path = join(folder, 'lock');
    const holder = spawn('sleep', ['60']);
    symlinkSync(`${holder.pid} 1`, path); // Another start time: a number that is used again.
    (await lockVolume(path, 0))();
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    symlinkSync(`${holder.pid} `, path);
    (await lockVolume(path, 0))();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('takes no block of a disk that may be full', async () => {
    const path = join(folder, 'lock');
    const unlock = await lockVolume(path, 0);
    expect(lstatSync(path).isSymbolicLink()).toBe(true);
    expect(existsSync(path)).toBe(false); // It leads nowhere.
    await expect(lockVolume(path, 0)).rejects.toThrow(`process ${process.pid} `);
    unlock();
  });
});
