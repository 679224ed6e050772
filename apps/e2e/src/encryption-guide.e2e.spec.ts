import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import { type Stack, startStack } from './stack.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const DONE = 'holds: ';
const SESSION_LIMIT_MS = 240_000;

const awsCli = await run('aws', ['--version']).then(
  () => true,
  () => false,
);
if (!awsCli) process.stderr.write('NOT RUN: the encryption guide, since there is no aws command on this machine\n');

/** The guide as parts, each a heading and the commands under it. */
const parts = (await readFile(join(ROOT, 'docs/encryption-guide.md'), 'utf8'))
  .split(/^#{2,3} /m)
  .slice(1)
  .map((section) => ({
    heading: section.slice(0, section.indexOf('\n')),
    commands: [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands = '']) => commands).join('\n'),
  }))
  .filter(({ commands }) => commands !== '');

describe.runIf(awsCli)('the encryption guide', () => {
  let stack: Stack;
  let folder: string;
  let held: string[];
  let complaint: string;

  beforeAll(async () => {
    stack = await startStack();
    folder = await mkdtemp(join(tmpdir(), 'holdfast-guide-'));
    await symlink(stack.home, join(folder, '.holdfast'));
    const { path, env } = await debianTool('nbdcopy');
    const script = [
      'set -Eeuo pipefail',
      `trap 'echo "failed: $BASH_COMMAND" >&2' ERR`,
      `nbdcopy() { LD_LIBRARY_PATH='${env['LD_LIBRARY_PATH'] ?? ''}' '${path}' "$@"; }`,
      `npx() { shift 2; node '${join(ROOT, 'dist/holdfast/main.js')}' "$@"; }`,
      ...parts.flatMap(({ commands }, at) => [commands, `echo '${DONE}${String(at)}'`]),
    ];
    const shell = { cwd: folder, env: { ...process.env, HOLDFAST_HOME: stack.home }, timeout: SESSION_LIMIT_MS };
    const text = script.join('\n').replaceAll('http://127.0.0.1:4566', stack.endpoint);
    const result = await run('bash', ['-c', text], shell).catch((error: unknown) => error as Record<string, unknown>);
    held = String(result['stdout']).match(new RegExp(`(?<=^${DONE})\\d+$`, 'gm')) ?? [];
    complaint = String(result['stderr']);
  }, SESSION_LIMIT_MS + 60_000);

  afterAll(async () => {
    await rm(folder, { recursive: true, force: true });
    await stack.stop();
  });

  it.each(parts.map(({ heading }, at) => [heading, at] as const))('%s', (_heading, at) => {
    expect(held, complaint).toContain(String(at));
  });
});
