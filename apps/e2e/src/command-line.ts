import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../dist/holdfast/main.js', import.meta.url));

/** Runs the built command line against the stack of this home, to its end. */
export const holdfast = (
  home: string,
  ...args: string[]
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> =>
  new Promise((resolve) => {
    const env = { ...process.env, HOLDFAST_HOME: home };
    execFile(process.execPath, [MAIN, ...args], { env }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });

/** Starts what goes on until it is interrupted. `line` is the first that it prints; `stop` resolves to its exit code. */
export const startHoldfast = (
  home: string,
  ...args: string[]
): { line(): Promise<string>; stop(): Promise<number | null> } => {
  const env = { ...process.env, HOLDFAST_HOME: home };
  const child = spawn(process.execPath, [MAIN, ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'close');
  const first = Promise.race([
    once(createInterface({ input: child.stdout }), 'line').then(([line]) => String(line)),
    ended.then(() => Promise.reject(new Error(`holdfast ${args.join(' ')} ended with ${String(child.exitCode)}`))),
  ]);
  first.catch(() => undefined);
  return {
    line: () => first,
    stop: async () => {
      child.kill('SIGINT');
      await ended;
      return child.exitCode;
    },
  };
};
