import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import type { NatsAccess } from './nats.ts';

/** What a child is to do; see crash-child.ts. */
export interface ChildTask {
  readonly task: 'append-and-die' | 'append-and-relay' | 'subscribe' | 'handle-and-die';
  readonly urls: { readonly ownerUrl: string; readonly serviceUrl: string };
  readonly nats: NatsAccess;
  readonly service: string;
}

const thirdPartyStaysOutside: Plugin = {
  name: 'third-party-stays-outside',
  setup: (b) =>
    b.onResolve({ filter: /^[^./]/ }, ({ path }) =>
      path.startsWith('@holdfast/') ? undefined : { path, external: true },
    ),
};

/** Bundles crash-child.ts to where third-party packages are found. `remove` it after the tests. */
export const buildChild = async (): Promise<{ file: string; remove: () => Promise<void> }> => {
  const folder = fileURLToPath(new URL(`../../../../node_modules/.cache/event-store-${randomUUID()}`, import.meta.url));
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'crash-child.mjs');
  await build({
    entryPoints: [fileURLToPath(new URL('crash-child.ts', import.meta.url))],
    outfile: file,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    logLevel: 'warning',
    plugins: [thirdPartyStaysOutside],
  });
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
};

export interface Child {
  /** What it has printed so far, a line an item. */
  readonly lines: string[];
  readonly exited: Promise<NodeJS.Signals | number | null>;
  /** SIGKILL: nothing of it runs any more, not even a finally. */
  kill(): void;
}

export const startChild = (file: string, task: ChildTask): Child => {
  const child = spawn(process.execPath, [file, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines: string[] = [];
  createInterface({ input: child.stdout }).on('line', (line) => lines.push(line));
  const exited = new Promise<NodeJS.Signals | number | null>((resolve) => {
    child.once('close', (code, signal) => resolve(signal ?? code));
  });
  return { lines, exited, kill: () => void child.kill('SIGKILL') };
};
