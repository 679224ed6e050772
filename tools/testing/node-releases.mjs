// Other releases of Node than the one that runs: images have newer ones, and their OpenSSL differs. `node node-releases.mjs 24`
// prints where Node 24 is.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { argv, execPath, platform, arch, stdout, versions } from 'node:process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const CACHE = fileURLToPath(new URL('../../.cache/node', import.meta.url));
/** What is supported, each with the patch release that is fetched. */
const RELEASES = { 20: '20.20.2', 22: '22.23.3', 24: '24.21.0' };

/**
 * @param major of the release.
 * @returns the path of its program: the one that runs, or one that npm fetches into .cache/node.
 * @throws Error saying why it can't be had.
 */
export const nodeRelease = async (major) => {
  if (versions.node.startsWith(`${major}.`)) return execPath;
  const version = RELEASES[major];
  if (version === undefined) throw new Error(`Node ${major} is none of ${Object.keys(RELEASES).join(', ')}`);
  const folder = join(CACHE, version);
  const name = `node-${platform}-${arch}`;
  const program = join(folder, 'node_modules', name, 'bin/node');
  if (existsSync(program)) return program;
  await mkdir(CACHE, { recursive: true });
  const fetched = await mkdtemp(join(CACHE, 'fetched-'));
  try {
    const options = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--ignore-scripts'];
    const install = ['install', '--prefix', fetched, ...options, `${name}@${version}`];
    await promisify(execFile)('npm', install, { cwd: fetched });
    // Whoever else fetches it meanwhile brings the same.
    await rename(fetched, folder).catch((error) => {
      if (!existsSync(program)) throw error;
    });
  } catch (error) {
    throw new Error(`Node ${version} is not here, and npm can't fetch it: ${error.message}`, { cause: error });
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
  return program;
};

if (argv[1] === fileURLToPath(import.meta.url)) stdout.write(`${await nodeRelease(argv[2])}\n`);
