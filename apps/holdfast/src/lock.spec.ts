import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { takeLock } from './lock.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-lock-'));
  path = join(folder, 'lock');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const take = () => takeLock(path, (pid) => `held by ${pid}`);

/** A process id that was used and is free again. */
const deadPid = async (): Promise<number> => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  return child.pid ?? 0;
};

describe('a lock', () => {
  it('is held by one, until it is given back', () => {
    const release = take();
    expect(take).toThrow(`held by ${process.pid}`);
    release();
    take()();
    expect(readdirSync(folder)).toEqual([]);
  });

  it('of a process that is gone counts for nothing', async () => {
    writeFileSync(path, `${await deadPid()} 12345`);
    const release = take();
    expect(take).toThrow(`held by ${process.pid}`);
    release();
  });

  it.runIf(process.platform === 'linux')(
    'whose process id belongs to another process by now counts for nothing',
    () => {
      writeFileSync(path, `${process.pid} 1`);
      take()();
    },
  );

  it.each(['', 'garbage', '-1 1', '0 '])('that holds %j counts for nothing', (content) => {
    writeFileSync(path, content);
    take()();
  });

  it('is not released by one who lost it', () => {
    const release = take();
    writeFileSync(path, 'somebody else');
    release();
    expect(existsSync(path)).toBe(true);
    expect(readFileSync(path, 'utf8')).toBe('somebody else');
  });
});
