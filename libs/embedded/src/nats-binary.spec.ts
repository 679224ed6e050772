import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findNatsServer, natsServerCacheDir, provisionNatsServer } from './nats-binary.ts';

let folder: string;
let cacheDir: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'holdfast-binary-'));
  cacheDir = join(folder, 'cache');
  vi.stubEnv('PATH', join(folder, 'bin'));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const script = (path: string, text: string): string => {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
};
const cached = () => join(cacheDir, 'usr', 'sbin', 'nats-server');
const systemHasOne = ['/usr/sbin/nats-server', '/usr/local/sbin/nats-server'].some((path) => existsSync(path));

describe('nats-server', () => {
  it('on PATH comes before the one in the cache', () => {
    script(cached(), 'echo "nats-server: v2.9.10"');
    const onPath = script(join(folder, 'bin', 'nats-server'), 'echo "nats-server: v2.11.4"');
    expect(findNatsServer(cacheDir)).toEqual({ path: onPath, version: '2.11.4' });
  });

  it.runIf(!systemHasOne)('in the cache is used when there is no other that runs', async () => {
    script(cached(), 'echo "nats-server: v2.9.10"');
    script(join(folder, 'bin', 'nats-server'), 'exit 1');
    expect(await provisionNatsServer(cacheDir)).toEqual({ path: cached(), version: '2.9.10' });
  });

  it.runIf(!systemHasOne)('that cannot be had is one line, with what to do about it', async () => {
    const failure = await provisionNatsServer(cacheDir).catch((error: Error) => error.message);
    expect(failure).toMatch(
      /^nats-server is missing and cannot be fetched \(.+\): install nats-server, or set NATS_URL/,
    );
    expect(failure).not.toContain('\n');
    expect(existsSync(cacheDir)).toBe(false);
  });

  it('is cached in the checkout', () => {
    expect(existsSync(join(natsServerCacheDir(), '..', '..', 'package-lock.json'))).toBe(true);
  });
});
