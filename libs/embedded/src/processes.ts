import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { EmbeddedServerError } from './errors.ts';

const POLL_MS = 20;

/** Whether a process of this id exists, whoever owns it. A zombie counts as gone: it holds no file, port or lock any more. */
export const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3) !== 'Z';
  } catch {
    return process.platform !== 'linux';
  }
};

/** The arguments a process was started with, joined by spaces; empty when there is no such process. */
export const commandLineOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    if (process.platform === 'linux') return '';
  }
  try {
    return execFileSync('ps', ['-o', 'args=', '-p', String(pid)], { encoding: 'utf8' }).trim();
  } catch {
    return '';
  }
};

/** Resolves true once the process is gone, false after `timeoutMs`. */
export const waitForExit = async (pid: number, timeoutMs: number): Promise<boolean> => {
  const giveUpAt = Date.now() + timeoutMs;
  while (isAlive(pid)) {
    if (Date.now() >= giveUpAt) return false;
    await sleep(POLL_MS);
  }
  return true;
};

const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
};

/**
 * Sends the signals one after the other until the process is gone; the last resort is SIGKILL.
 * @throws EmbeddedServerError when even that did not end it.
 */
export const stopProcess = async (
  pid: number,
  signals: readonly NodeJS.Signals[],
  timeoutMs: number,
): Promise<void> => {
  for (const name of [...signals, 'SIGKILL'] as const) {
    signal(pid, name);
    if (await waitForExit(pid, timeoutMs)) return;
  }
  throw new EmbeddedServerError(`process ${pid} does not end, not even by SIGKILL`);
};

let parentDeathSignals: boolean | undefined;
const hasParentDeathSignals = (): boolean => {
  parentDeathSignals ??=
    process.platform === 'linux' && spawnSync('setpriv', ['--pdeathsig', 'INT', '--', 'true']).status === 0;
  return parentDeathSignals;
};

/**
 * Wraps a command so that the kernel interrupts it when this process dies, however it dies. Where the system has no
 * `setpriv`, the command stays as it is, and the next start finds the orphan by its pid file.
 */
export const dyingWithParent = (command: readonly string[]): string[] =>
  hasParentDeathSignals() ? ['setpriv', '--pdeathsig', 'INT', '--', ...command] : [...command];

/** A server that this process started. */
export class ServerProcess {
  /** Resolves when the server has ended, however. */
  readonly exited: Promise<void>;

  private constructor(
    private readonly child: ChildProcess,
    readonly pid: number,
  ) {
    this.exited = new Promise((resolve) => child.once('exit', () => resolve()));
  }

  /** In a session of its own: Ctrl-C in the terminal is for us, and we stop the servers in order. */
  static start(
    command: readonly string[],
    options: { cwd: string; env?: NodeJS.ProcessEnv; output: number },
  ): ServerProcess {
    const [file = '', ...args] = command;
    const { cwd, env, output } = options;
    const child = spawn(file, args, { cwd, env, stdio: ['ignore', output, output], detached: true });
    child.on('error', () => undefined); // Reported by the missing pid; an unheard 'error' would end this process.
    if (child.pid === undefined) throw new EmbeddedServerError(`cannot run ${file}`);
    return new ServerProcess(child, child.pid);
  }

  get ended(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** As stopProcess, and never meets a process that has got the same id since. */
  async stop(signals: readonly NodeJS.Signals[], timeoutMs: number): Promise<void> {
    for (const name of [...signals, 'SIGKILL'] as const) {
      if (this.ended) return;
      this.child.kill(name);
      const patience = new AbortController();
      await Promise.race([
        this.exited,
        sleep(timeoutMs, undefined, { signal: patience.signal }).catch(() => undefined),
      ]);
      patience.abort();
    }
    if (!this.ended) throw new EmbeddedServerError(`process ${this.pid} does not end, not even by SIGKILL`);
  }
}
