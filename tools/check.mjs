// Everything that `npm run check` looks at, two at a time: what needs longest begins first. All are run, whatever fails.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';

/** By name: what Node runs. Lint and types are looked at in one process each, which loads and resolves everything once. */
const CHECKS = {
  types: ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.json'],
  format: ['node_modules/prettier/bin/prettier.cjs', '--check', '--log-level', 'warn', '.'],
  lint: ['node_modules/eslint/bin/eslint.js', '--max-warnings', '0', 'apps', 'libs', 'bench', 'tools'],
  boundaries: [
    ...['node_modules/dependency-cruiser/bin/dependency-cruise.mjs', '--config', '.dependency-cruiser.cjs'],
    ...['--output-type', 'err', 'apps', 'libs'],
  ],
  'generated files': ['tools/generate-aws-protocol.mjs', '--check'],
};

const waiting = Object.entries(CHECKS);
const failed = [];

const work = async () => {
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const [name, command] = next;
    const began = performance.now();
    const child = spawn(process.execPath, command, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += String(data)));
    const [code] = await once(child, 'close');
    if (code !== 0) failed.push(name);
    const seconds = ((performance.now() - began) / 1000).toFixed(0);
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)${code === 0 ? '' : `\n${output.trim()}`}`);
  }
};
await Promise.all(Array.from({ length: Math.min(2, availableParallelism()) }, work));
process.exitCode = failed.length === 0 ? 0 : 1;
