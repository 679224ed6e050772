import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const READY = 'Holdfast is ready';
const TIMEOUT_MS = 120_000;

/** The command line, built into a folder of its own, with services that the test writes. */
export interface Program {
  /** Plain JavaScript of a module that exports `start`. */
  addService(name: string, source: string): void;
  removeService(name: string): void;
  /** Starts it; environment variables of this process that begin with HOLDFAST_ or NATS_ are left out. */
  run(args: readonly string[], environment?: Record<string, string>, cwd?: string): Run;
  remove(): void;
}

export interface Run {
  readonly child: ChildProcess;
  stdout(): string;
  stderr(): string;
  /** Resolves once the banner is out. @throws when the program ends or takes too long. */
  ready(): Promise<void>;
  /** Resolves once stderr holds this text. */
  says(text: string): Promise<void>;
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

const run = (main: string, args: readonly string[], environment: Record<string, string>, cwd: string): Run => {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST|NATS)_/.test(name));
  const env = { ...Object.fromEntries(inherited), ...environment };
  const child = spawn(process.execPath, [main, ...args], { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const ended = once(child, 'close').then(() => child.exitCode ?? child.signalCode);
  const until = async (condition: () => boolean): Promise<void> => {
    const giveUpAt = Date.now() + TIMEOUT_MS;
    while (!condition()) {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error(`the program ended: ${stderr}`);
      if (Date.now() > giveUpAt) throw new Error(`the program takes too long: ${stdout}${stderr}`);
      await sleep(20);
    }
  };
  return {
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    ready: () => until(() => stdout.includes(READY)),
    says: (text) => until(() => stderr.includes(text)),
    ended,
  };
};

export const buildProgram = async (): Promise<Program> => {
  const cache = join(ROOT, '.cache');
  mkdirSync(cache, { recursive: true });
  // Inside the repository, so that third-party packages are found from there.
  const dist = mkdtempSync(join(cache, 'holdfast-test-'));
  await build({
    entryPoints: { 'holdfast/main': join(ROOT, 'apps/holdfast/src/main.ts') },
    outdir: dist,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    tsconfig: join(ROOT, 'tsconfig.base.json'),
    plugins: [
      {
        name: 'third-party-stays-outside',
        setup: (b) =>
          b.onResolve({ filter: /^[^./]/ }, ({ path }) =>
            path.startsWith('@holdfast/') ? undefined : { path, external: true },
          ),
      },
    ],
  });
  return {
    addService: (name, source) => {
      mkdirSync(join(dist, name), { recursive: true });
      writeFileSync(join(dist, name, 'service.js'), source);
    },
    removeService: (name) => rmSync(join(dist, name), { recursive: true }),
    run: (args, environment = {}, cwd = dist) => run(join(dist, 'holdfast', 'main.js'), args, environment, cwd),
    remove: () => rmSync(dist, { recursive: true, force: true }),
  };
};
