import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { eventually } from '@holdfast/messaging/testing';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';

// Inside the package, so that the bundle finds node_modules.
const here = fileURLToPath(new URL('.', import.meta.url));
let folder: string;

const MAIN = `
  import { Module } from '@nestjs/common';
  import { defineService, runMain } from './index.ts';
  class Empty {}
  Module({})(Empty);
  const start = defineService({ name: 'data-plane', module: () => ({ module: Empty }) });
  await runMain(async (environment) => {
    const service = await start(environment);
    process.stdout.write('ready\\n');
    return service;
  });
`;

beforeAll(async () => {
  folder = await mkdtemp(join(here, 'testing', 'main-'));
  await build({
    stdin: { contents: MAIN, resolveDir: here, loader: 'ts' },
    outfile: join(folder, 'main.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    tsconfigRaw: { compilerOptions: { experimentalDecorators: true } },
    plugins: [
      {
        name: 'third-party-stays-outside',
        setup: (b) =>
          b.onResolve({ filter: /^[^./]/ }, ({ path }) =>
            path.startsWith('@holdfast/') ? undefined : { path, external: true },
          ),
      },
    ],
  });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (variables: Record<string, string>) => {
  const child = spawn(process.execPath, [join(folder, 'main.mjs')], {
    env: { PATH: process.env['PATH'], ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [output, errors] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (output += data.toString()));
  child.stderr.on('data', (data: Buffer) => (errors += data.toString()));
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, errors }));
  return { child, ended, output: () => output };
};
const nats = () => ({
  HOLDFAST_NATS_URL: inject('natsUrl'),
  HOLDFAST_NATS_USER: inject('natsUser'),
  HOLDFAST_NATS_PASSWORD: inject('natsPassword'),
  HOLDFAST_LOG_LEVEL: 'warn',
});

describe('a main program', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('stops cleanly on %s', async (signal) => {
    const { child, ended, output } = run(nats());
    await eventually(output).toContain('ready');
    child.kill(signal);
    expect(await ended).toEqual({ code: 0, errors: '' });
  });

  it('says in one line why it cannot start', async () => {
    expect(await run({ ...nats(), HOLDFAST_NATS_PASSWORD: 'wrong' }).ended).toEqual({
      code: 1,
      errors: expect.stringMatching(/^cannot start: [^\n]*Authorization[^\n]*\n$/) as string,
    });
    expect(await run({ HOLDFAST_NATS_URL: 'nats://localhost:1' }).ended).toEqual({
      code: 1,
      errors: expect.stringMatching(/^cannot start: [^\n]*refused[^\n]*\n$/i) as string,
    });
    expect(await run({ HOLDFAST_TYPO: '1' }).ended).toEqual({
      code: 1,
      errors: expect.stringMatching(/^cannot start: unknown HOLDFAST_TYPO; [^\n]*\n$/) as string,
    });
  });
});
