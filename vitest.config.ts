import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const ROOT = fileURLToPath(new URL('.', import.meta.url));
/** What a test changes for all that runs in its process after it, or has to change before anything is loaded. */
const CHANGES_ITS_PROCESS =
  /\bvi\.(do[MU]|mock|hoisted|reset|setConfig|setSystemTime|spyOn|stub|useFakeTimers)|process\.(chdir|env|off|on|umask)|globalThis/;
const unitSpecs = ['apps', 'libs', 'tools'].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('.spec.ts') && !/\.(int|e2e)\.spec\.ts$|node_modules/.test(path))
    .map((path) => join(folder, path)),
);
const changesItsProcess = (path: string) => CHANGES_ITS_PROCESS.test(readFileSync(join(ROOT, path), 'utf8'));

// unit: nothing but Node. Loading what it needs costs a file more than its tests do, so files share a process; those that change
// theirs (unit-apart) have one each. int: a real Postgres and nats-server, started once by the global set-up and stopped by it.
// e2e: the composed stack from dist/, driven by official clients.
export default defineConfig({
  test: {
    pool: 'forks',
    // Vitest would leave one of two cores idle; most of an integration test waits for a disk or a server.
    maxWorkers: 2,
    // Limits are there to end what hangs. A slow or busy machine may take many times what a fast one does.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 60_000 } },
    // CI's machines stand still for seconds at times. What fails there is tried once more, and the report says so; elsewhere it fails.
    retry: process.env['CI'] ? 1 : 0,
    setupFiles: [fileURLToPath(new URL('tools/testing/equal-bytes.ts', import.meta.url))],
    projects: [
      {
        extends: true,
        test: { name: 'unit', include: unitSpecs.filter((path) => !changesItsProcess(path)), isolate: false },
      },
      {
        extends: true,
        test: { name: 'unit-apart', include: unitSpecs.filter(changesItsProcess) },
      },
      {
        extends: true,
        test: {
          name: 'int',
          include: ['{apps,libs}/**/*.int.spec.ts'],
          globalSetup: ['tools/testing/servers.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
        },
      },
      {
        extends: true,
        test: {
          name: 'e2e',
          include: ['apps/**/*.e2e.spec.ts'],
          globalSetup: ['apps/e2e/src/used-home.ts'],
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
