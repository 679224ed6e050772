// What stacks of tests begin with: a home of a stack that has run once, since to make the databases costs several times what all
// else in a start does; and a stack that runs on a copy of it, for all tests that look at nothing but accounts of their own.
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { runStack } from './running-stack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    usedHome: string;
    sharedStack: { readonly endpoint: string; readonly home: string };
  }
}

const run = promisify(execFile);

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-used-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const [usedHome, sharedHome] = [join(folder, 'home'), join(folder, 'shared')];
    await (await runStack(usedHome)).terminate();
    await run('cp', ['-a', usedHome, sharedHome]);
    const stack = await runStack(sharedHome);
    // Whoever is ended by a signal leaves no stack behind.
    const onExit = () => process.kill(stack.pid(), 'SIGTERM');
    process.once('exit', onExit);
    project.provide('usedHome', usedHome);
    project.provide('sharedStack', { endpoint: stack.endpoint, home: stack.home });
    return async () => {
      process.off('exit', onExit);
      await stack.stop();
      await remove();
    };
  } catch (error) {
    await remove();
    throw error;
  }
}
