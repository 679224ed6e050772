// A home of a stack that has run once. Stacks of tests begin with copies of it: to make the databases costs several times what
// all else in a start does. What a first start does is seen in those that begin with an empty home.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { runStack } from './running-stack.ts';

declare module 'vitest' {
  interface ProvidedContext {
    usedHome: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-used-'));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    const usedHome = join(folder, 'home');
    await (await runStack(usedHome)).terminate();
    project.provide('usedHome', usedHome);
    return remove;
  } catch (error) {
    await remove();
    throw error;
  }
}
