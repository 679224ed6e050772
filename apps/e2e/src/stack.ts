import { execFile } from 'node:child_process';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import { runStack, type Stack } from './running-stack.ts';
import type {} from './used-home.ts'; // Declares what is injected.

export { freePort, type Stack } from './running-stack.ts';

const run = promisify(execFile);

/**
 * Starts a stack of one's own.
 * @param home `used`: a copy of one that ran once and has seen no request, which starts sooner; `empty`: as at a first start.
 */
export const startStack = async (
  environment: Record<string, string> = {},
  { home: kind = 'used' }: { home?: 'used' | 'empty' } = {},
): Promise<Stack> => {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-e2e-'));
  if (kind === 'used') await run('cp', ['-a', `${inject('usedHome')}/.`, home]);
  return runStack(home, environment);
};

/**
 * A stack that other files use at the same time: for tests that neither stop it, nor turn its clock, nor count what is no account's
 * own, and whose accounts are of `newAccountId`.
 */
export const sharedStack = (): Pick<Stack, 'endpoint' | 'home'> => inject('sharedStack');
