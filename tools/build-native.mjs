// Compiles the addons. No node-gyp: each is one C file that links with nothing, so a C compiler is all it takes (node-gyp
// would ask for Python, make and a download of Node's headers as well).
import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Where each addon's source is, and what goes on without it. */
export const ADDONS = {
  xts: { folder: 'libs/crypto/native', without: 'encryption uses node:crypto, which is slower' },
  holes: { folder: 'libs/block-store/native', without: 'trimmed space stays allocated' },
  pkcs11: { folder: 'libs/root-keys/native', without: 'root keys cannot be kept in a PKCS#11 token' },
};

/**
 * Builds an addon unless it is newer than its source.
 * @returns what was done, in one line.
 * @throws Error when it can't be built here; everything else works without it.
 */
export const buildNative = (name) => {
  const { folder, without } = ADDONS[name];
  const source = join(root, folder, `${name}.c`);
  const target = join(root, folder, 'build', `${name}.node`);
  if (process.platform === 'win32') return `${name}: not built on Windows; ${without}`;
  if (modifiedAt(target) > modifiedAt(source)) return `${name}: built before`;
  const headers = join(dirname(createRequire(import.meta.url).resolve('node-api-headers/package.json')), 'include');
  const link = process.platform === 'darwin' ? ['-bundle', '-undefined', 'dynamic_lookup'] : ['-shared', '-pthread'];
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
  const compiler = findCompiler(without);
  try {
    execFileSync(compiler, [...flags, ...link, '-o', partial, source], { stdio: ['ignore', 'ignore', 'inherit'] });
    renameSync(partial, target); // A process that has the old one loaded keeps it.
  } finally {
    rmSync(partial, { force: true });
  }
  return `${name}: addon built`;
};

const findCompiler = (without) => {
  for (const compiler of [process.env.CC, 'cc', 'gcc', 'clang']) {
    try {
      if (compiler) execFileSync(compiler, ['--version'], { stdio: 'ignore' });
      if (compiler) return compiler;
    } catch {
      continue;
    }
  }
  throw new Error(`no C compiler found; ${without}`);
};

const modifiedAt = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const name of Object.keys(ADDONS)) console.log(buildNative(name));
