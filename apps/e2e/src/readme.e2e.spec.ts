import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';
import { type Stack, startStack } from './stack.ts';

const run = promisify(execFile);
const awsCli = await run('aws', ['--version']).then(
  () => true,
  () => false,
);
if (!awsCli)
  process.stderr.write('NOT RUN: the commands of the README, since there is no aws command on this machine\n');

let stack: Stack;
let folder: string;
beforeAll(async () => {
  stack = await startStack({}, { home: 'empty' });
  folder = await mkdtemp(join(tmpdir(), 'holdfast-readme-'));
  await symlink(stack.home, join(folder, '.holdfast'));
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await stack.stop();
});

describe.runIf(awsCli)('the README', () => {
  it('gets to the first encrypted volume with the commands it gives', async () => {
    const readme = await readFile(new URL('../../../README.md', import.meta.url), 'utf8');
    const section = readme.slice(readme.indexOf('## One minute'));
    const [, commands = ''] = /```sh\n([\s\S]*?)```/.exec(section) ?? [];
    expect(commands).toContain('create-volume');
    const nbdinfo = await debianTool('nbdinfo');
    const library = nbdinfo.env['LD_LIBRARY_PATH'] ?? '';
    const script = [
      'set -euo pipefail',
      `nbdinfo() { LD_LIBRARY_PATH='${library}' '${nbdinfo.path}' "$@"; }`,
      commands.replaceAll('http://127.0.0.1:4566', stack.endpoint),
    ].join('\n');
    const env = { ...process.env, PATH: [process.env['PATH'], '/usr/local/bin'].join(delimiter), AWS_PAGER: '' };
    const { stdout } = await run('bash', ['-c', script], { cwd: folder, env });
    expect(stdout).toMatch(/export-size: 1073741824/);
  });
});
