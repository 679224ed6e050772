import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UserError } from '../errors.ts';
import { readStackFile, type StackFile } from '../stack-file.ts';

const START_TIMEOUT_MS = 60_000;

export interface DemoStack {
  readonly stack: StackFile;
  /** Whether the stack was started for the demonstration, and ends with it. */
  readonly isOwn: boolean;
  close(): Promise<void>;
}

/** The stack that runs on `home`, else one of our own in a temporary folder, on any free port. */
export const openDemoStack = async (home: string): Promise<DemoStack> => {
  try {
    return { stack: readStackFile(home), isOwn: false, close: () => Promise.resolve() };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return startOwnStack();
  }
};

const startOwnStack = async (): Promise<DemoStack> => {
  const home = await mkdtemp(join(tmpdir(), 'holdfast-demo-'));
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'up', '--port', '0'], {
    env: { ...process.env, HOLDFAST_HOME: home },
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true, // Ctrl-C is for the demonstration, which then stops the stack in order.
  });
  const close = async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    await rm(home, { recursive: true, force: true });
  };
  const deadline = Date.now() + START_TIMEOUT_MS;
  for (;;) {
    const stack = await healthyStack(home);
    if (stack) return { stack, isOwn: true, close };
    if (child.exitCode !== null || Date.now() > deadline) {
      await close();
      throw new UserError('the stack for the demonstration did not start');
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};

const healthyStack = async (home: string): Promise<StackFile | null> => {
  try {
    const stack = readStackFile(home);
    return (await fetch(`${stack.endpoint}/_holdfast/health`)).ok ? stack : null;
  } catch {
    return null; // Not up yet.
  }
};
