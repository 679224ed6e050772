import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// unit: nothing but Node. int: a real Postgres and nats-server, started once by the global set-up and stopped by it.
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
        test: {
          name: 'unit',
          include: ['{apps,libs,tools}/**/*.spec.ts'],
          exclude: ['**/node_modules/**', '**/*.int.spec.ts', '**/*.e2e.spec.ts'],
        },
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
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
  },
});
