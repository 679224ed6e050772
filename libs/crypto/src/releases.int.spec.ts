import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { nodeRelease } from '../../../tools/testing/node-releases.mjs';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const isAddonBuilt = existsSync(new URL('../native/build/xts.node', import.meta.url));

interface Report {
  readonly numTotalTests: number;
  readonly numPassedTests: number;
  readonly testResults: readonly { readonly assertionResults: readonly { readonly fullName: string }[] }[];
}

const others = ['20', '22', '24'].filter((major) => !process.versions.node.startsWith(`${major}.`));

/** Every Node has an OpenSSL of its own, whose functions the addon calls and whose ciphers the fallback is made of. */
describe.each(others)('on Node %s', (major) => {
  it('both XTS engines compute what IEEE 1619 says, and what the other computes', async (context) => {
    const program = await nodeRelease(major).catch((error: unknown) => {
      process.stderr.write(`NOT RUN: the XTS engines on Node ${major}: ${String(error)}\n`);
      return null;
    });
    if (program === null) return context.skip();
    const specs = ['run', '--project', 'unit', '--reporter', 'json', 'libs/crypto/src/xts/'];
    // Not what this run tells its own workers.
    const env = Object.fromEntries(
      Object.entries(process.env).filter(([name]) => !/^(VITEST|NODE_OPTIONS)/.test(name)),
    );
    const { stdout } = await promisify(execFile)(program, ['node_modules/vitest/vitest.mjs', ...specs], {
      cwd: ROOT,
      env,
    });
    const report = JSON.parse(stdout) as Report;
    const names = report.testResults.flatMap(({ assertionResults }) =>
      assertionResults.map(({ fullName }) => fullName),
    );
    const engines = isAddonBuilt ? ['node-crypto', 'openssl-addon'] : ['node-crypto'];
    for (const engine of engines)
      expect(names.filter((name) => name.startsWith(`${engine} computes vector`)).length).toBeGreaterThan(0);
    expect(report.numPassedTests).toBe(report.numTotalTests);
  });
});
