import { existsSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openServerLog } from './server-log.ts';

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-log-'));
  path = join(folder, 'server.log');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe("a server's log", () => {
  it('tells what was written since it was opened, and is for its owner only', () => {
    writeFileSync(path, 'an earlier run\n', { mode: 0o600 });
    const log = openServerLog(path);
    expect(log.text()).toBe('');
    writeSync(log.fd, 'one\n');
    writeSync(log.fd, 'two\n');
    expect(log.text()).toBe('one\ntwo\n');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    log.close();
  });

  it('survives being emptied by somebody else', () => {
    writeFileSync(path, 'an earlier run\n');
    const log = openServerLog(path);
    truncateSync(path);
    expect(log.text()).toBe('');
    log.close();
  });

  it('is put aside when it has grown too long', () => {
    writeFileSync(path, '');
    truncateSync(path, 16 * 1024 * 1024 + 1);
    openServerLog(path).close();
    expect(statSync(path).size).toBe(0);
    expect(statSync(`${path}.1`).size).toBe(16 * 1024 * 1024 + 1);
    openServerLog(path).close();
    expect(existsSync(`${path}.1`)).toBe(true);
  });
});
