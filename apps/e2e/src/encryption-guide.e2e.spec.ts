import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
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

/** The Python that has the CLI's code, where that can be loaded once for all the commands; else they start it one by one. */
const python = await run('python3', ['-c', 'import sys, awscli.clidriver; print(sys.executable)']).then(
  ({ stdout }) => stdout.trim(),
  () => undefined,
);

/** @returns the CLI, loaded, and the shell function that has it run a command. */
const loadedCli = async (folder: string): Promise<{ process?: ChildProcess; function: string }> => {
  if (python === undefined) return { function: '' };
  const [program, socket] = [join(ROOT, 'apps/e2e/src/aws-cli.py'), join(folder, 'aws.sock')];
  const server = spawn(python, [program, 'serve', socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  return { process: server, function: `aws() { '${python}' -IS '${program}' run '${socket}' "$@"; }` };
};

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
  let cli: ChildProcess | undefined;
  let held: string[];
  let complaint: string;

  beforeAll(async () => {
    stack = await startStack();
    folder = await mkdtemp(join(tmpdir(), 'holdfast-guide-'));
    await symlink(stack.home, join(folder, '.holdfast'));
    const { path, env } = await debianTool('nbdcopy');
    const loaded = await loadedCli(folder);
    cli = loaded.process;
    const script = [
      loaded.function,
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
    cli?.stdin?.end();
    await rm(folder, { recursive: true, force: true });
    await stack.stop();
  });

  it.each(parts.map(({ heading }, at) => [heading, at] as const))('%s', (_heading, at) => {
    expect(held, complaint).toContain(String(at));
  });
});
