import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { debianTool } from '../../../../tools/testing/debian-tools.mjs';
import { until } from './harness.ts';

export interface RunningInitiator {
  readonly uri: string;
  stop(): Promise<void>;
}

/** Serves another server's socket again, and asks again whatever fails there: what a guest's own initiator does. */
export const startRetryingNbdkit = async (upstream: string, socketPath: string): Promise<RunningInitiator> => {
  const { path, env } = await debianTool('nbdkit');
  const args = [
    ...['--foreground', '--unix', socketPath, '--filter', filePath(path, 'retry', 'filter')],
    ...[filePath(path, 'nbd', 'plugin'), `socket=${upstream}`, 'retry=60'],
    ...['retries=200', 'retry-delay=1', 'retry-exponential=no'],
  ];
  return startServing(path, args, env, socketPath);
};

/** As a guest of qemu's sees it: a device that waits for its server, and repeats what it was not answered. */
export const startReconnectingQemu = async (upstream: string, socketPath: string): Promise<RunningInitiator> => {
  const { path, env } = await debianTool('qemu-nbd');
  const image = `driver=raw,file.driver=nbd,file.server.type=unix,file.server.path=${upstream},file.reconnect-delay=120`;
  return startServing(path, ['--persistent', '--socket', socketPath, '--image-opts', image], env, socketPath);
};

const startServing = async (
  path: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  socketPath: string,
): Promise<RunningInitiator> => {
  let log = '';
  const child: ChildProcess = spawn(path, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr?.on('data', (chunk: Buffer) => (log += chunk.toString()));
  await until(`${path} serves`, () => {
    if (child.exitCode !== null) throw new Error(`${path} ended: ${log}`);
    return existsSync(socketPath);
  });
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  };
  return { uri: `nbd+unix:///?socket=${socketPath}`, stop };
};

/** Unpacked elsewhere than it was built for, nbdkit looks for its parts in the wrong place. */
const filePath = (program: string, name: string, kind: 'filter' | 'plugin'): string => {
  if (program.startsWith('/usr/')) return name;
  const lib = join(dirname(program), '../lib');
  const file = `nbdkit-${name}-${kind}.so`;
  const found = readdirSync(lib, { recursive: true, encoding: 'utf8' }).find((path) => path.endsWith(file));
  if (found === undefined) throw new Error(`${lib} holds no ${file}`);
  return join(lib, found);
};
