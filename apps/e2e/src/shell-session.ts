import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import type { Stack } from './stack.ts';

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const DONE = 'holds: ';
export const SESSION_LIMIT_MS = 900_000;

/** A heading of a document, and the commands under it. */
export interface Part {
  readonly heading: string;
  readonly commands: string;
}

/** The parts of a document of docs/ that have commands. */
export const partsOf = async (document: string): Promise<Part[]> =>
  (await readFile(join(ROOT, 'docs', document), 'utf8'))
    .split(/^#{2,3} /m)
    .slice(1)
    .map((section) => ({
      heading: section.slice(0, section.indexOf('\n')),
      commands: [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, commands = '']) => commands).join('\n'),
    }))
    .filter(({ commands }) => commands !== '');

export const hasAwsCli = (): Promise<boolean> =>
  run('aws', ['--version']).then(
    () => true,
    () => false,
  );

/** @returns the CLI, loaded once for all the commands where its Python can be found, and the shell function that has it run one. */
const loadedCli = async (folder: string): Promise<{ process?: ChildProcess; function: string }> => {
  const python = await run('python3', ['-c', 'import sys, awscli.clidriver; print(sys.executable)']).then(
    ({ stdout }) => stdout.trim(),
    () => undefined,
  );
  if (python === undefined) return { function: '' };
  const [program, socket] = [join(ROOT, 'apps/e2e/src/aws-cli.py'), join(folder, 'aws.sock')];
  const server = spawn(python, [program, 'serve', socket], { stdio: ['pipe', 'pipe', 'inherit'] });
  await once(server.stdout, 'data');
  return { process: server, function: `aws() { '${python}' -IS '${program}' run '${socket}' "$@"; }` };
};

/** A program of Debian's as a function of the shell, with its own libraries. */
const functionFor = async (program: string): Promise<string> => {
  const { path, env } = await debianTool(program);
  return `${program}() { LD_LIBRARY_PATH='${env['LD_LIBRARY_PATH'] ?? ''}' '${path}' "$@"; }`;
};

export interface Outcome {
  /** Numbers of the parts that went through. */
  readonly held: readonly string[];
  /** What the session said, of the command that failed above all. */
  readonly complaint: string;
}

/**
 * Runs the parts as one shell session against a stack, in a folder where `.holdfast` is its home, until one fails.
 * @param programs fetched where they are not installed.
 * @param atExit a command that takes away what a session that failed left behind.
 */
export const runSession = async (
  stack: Stack,
  parts: readonly Part[],
  { programs, atExit = 'true' }: { programs: readonly string[]; atExit?: string },
): Promise<Outcome> => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-guide-'));
  const cli = await loadedCli(folder);
  try {
    await symlink(stack.home, join(folder, '.holdfast'));
    const script = [
      cli.function,
      'set -Eeuo pipefail',
      `trap 'echo "failed: $BASH_COMMAND" >&2' ERR`,
      `trap '${atExit}' EXIT`,
      ...(await Promise.all(programs.map(functionFor))),
      `npx() { shift 2; node '${join(ROOT, 'dist/holdfast/main.js')}' "$@"; }`,
      ...parts.flatMap(({ commands }, at) => [commands, `echo '${DONE}${String(at)}'`]),
    ];
    const shell = { cwd: folder, env: { ...process.env, HOLDFAST_HOME: stack.home }, timeout: SESSION_LIMIT_MS };
    const text = script.join('\n').replaceAll('http://127.0.0.1:4566', stack.endpoint);
    const result = await run('bash', ['-c', text], shell).catch((error: unknown) => error as Record<string, unknown>);
    const held = String(result['stdout']).match(new RegExp(`(?<=^${DONE})\\d+$`, 'gm')) ?? [];
    return { held, complaint: String(result['stderr']) };
  } finally {
    cli.process?.stdin?.end();
    await rm(folder, { recursive: true, force: true });
  }
};
