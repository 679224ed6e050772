import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../../../dist/holdfast/main.js', import.meta.url));
const START_TIMEOUT_MS = 240_000;
const STOP_TIMEOUT_MS = 120_000;

/** A composed stack as `npm start` runs it: the built program, a home and a port of its own. */
export interface Stack {
  readonly endpoint: string;
  readonly home: string;
  /** What the stack has printed so far. */
  readonly output: () => string;
  readonly pid: () => number;
  /** SIGKILL of the main process; its children are left to find out. */
  kill(): Promise<void>;
  /** SIGTERM, and waits for the end. */
  terminate(): Promise<void>;
  /** Starts again on the same home and port. */
  restart(): Promise<void>;
  /** Terminates and removes the home. */
  stop(): Promise<void>;
}

/** Without the settings of tests: the product refuses a setting that it does not know. */
const ofTheProduct = (environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('HOLDFAST_TEST_')));

/** Nobody's now, and outside of what systems hand out by themselves, so that no connection takes it before the stack does. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = randomInt(10_240, 32_768);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(() => true, () => false); // prettier-ignore
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
};

const healthy = async (endpoint: string): Promise<boolean> => {
  try {
    return (await fetch(`${endpoint}/_holdfast/health`)).status === 200;
  } catch {
    return false; // Not listening yet.
  }
};

const waitUntilHealthy = async (endpoint: string, child: ChildProcess, output: () => string): Promise<void> => {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (!(await healthy(endpoint))) {
    if (child.exitCode !== null) throw new Error(`the stack ended with ${String(child.exitCode)}:\n${output()}`);
    if (Date.now() > deadline) throw new Error(`the stack is not healthy:\n${output()}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
};

/** Starts a stack on this home. */
export const runStack = async (home: string, environment: Record<string, string> = {}): Promise<Stack> => {
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${String(port)}`;
  let printed = '';
  let child: ChildProcess;

  const start = async () => {
    child = spawn(process.execPath, [MAIN, 'up'], {
      env: { ...ofTheProduct(process.env), HOLDFAST_HOME: home, HOLDFAST_PORT: String(port), ...environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const collect = (chunk: Buffer) => {
      printed += chunk.toString();
    };
    child.stdout?.on('data', collect);
    child.stderr?.on('data', collect);
    await waitUntilHealthy(endpoint, child, () => printed);
  };
  const ended = async () => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };

  const terminate = async () => {
    child.kill('SIGTERM');
    const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
    await ended();
    clearTimeout(force);
  };

  await start();
  return {
    endpoint,
    home,
    output: () => printed,
    pid: () => child.pid ?? 0,
    kill: async () => {
      child.kill('SIGKILL');
      await ended();
    },
    terminate,
    restart: start,
    stop: async () => {
      await terminate();
      await rm(home, { recursive: true, force: true });
    },
  };
};
