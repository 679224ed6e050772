// Compiles libs/crypto/native/xts.c. No node-gyp: the addon is one C file that links with nothing, so a C compiler is all
// it takes (node-gyp would ask for Python, make and a download of Node's headers as well).
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const native = fileURLToPath(new URL('../libs/crypto/native', import.meta.url));
const FALLBACK = 'encryption uses node:crypto, which is slower';

/**
 * Builds the addon unless it is newer than its source.
 * @returns what was done, in one line.
 * @throws Error when it can't be built here; everything works without it.
 */
export const buildNative = () => {
  const source = join(native, 'xts.c');
  const target = join(native, 'build', 'xts.node');
  if (process.platform === 'win32') return `xts: not built on Windows; ${FALLBACK}`;
  if (modifiedAt(target) > modifiedAt(source)) return 'xts: built before';
  const headers = join(dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')), 'include');
  const link = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared'];
  const flags = [
    '-std=c11',
    '-O2',
    '-fPIC',
    '-fvisibility=hidden',
    '-Wall',
    '-Wextra',
    '-DNAPI_VERSION=8',
    `-I${headers}`,
  ];
  mkdirSync(dirname(target), { recursive: true });
  const partial = `${target}.${process.pid}`;
  const compiler = findCompiler();
  try {
    execFileSync(compiler, [...flags, ...link, '-o', partial, source], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(partial, target); // A process that has the old one loaded keeps it.
  } finally {
    rmSync(partial, { force: true });
  }
  return 'xts: addon built';
};

const findCompiler = () => {
  for (const compiler of [process.env.CC, 'cc', 'gcc', 'clang']) {
    try {
      if (compiler) execFileSync(compiler, ['--version'], { stdio: 'ignore' });
      if (compiler) return compiler;
    } catch {
      continue;
    }
  }
  throw new Error(`no C compiler found; ${FALLBACK}`);
};

const modifiedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(buildNative());
