// Fetches Debian packages and unpacks them into a folder: no root, nothing installed, nothing outside the folder changed.
// Plain JavaScript, since both `npm ci` steps (before anything is built) and the sources use it.
import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { chmod, mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Package lists are some 10 MB, packages up to 50 MB; a slow mirror should still pass, a dead one should not hang us. */
const COMMAND_TIMEOUT_MS = 300_000;
/** Written last into the unpacked folder: names what it holds, and that it is complete. */
const MARKER = '.packages.json';

/**
 * Unpacks `names` and those of their dependencies that this machine lacks into `targetDir` (`usr/bin/…`, `usr/lib/…`).
 * Packages come from the sources this machine's apt is configured with, so apt verifies their signatures. Returns at once
 * when `targetDir` already holds them. Safe to call from several processes: each unpacks aside and the first rename wins.
 * @throws Error saying what is missing, when there is no apt here or a package can't be had; the folder is then untouched.
 */
export const unpackDebianPackages = async (names, targetDir) => {
  const target = resolve(targetDir);
  if (await holds(target, names)) return;
  const work = `${target}.${randomUUID().slice(0, 8)}.partial`;
  try {
    await mkdir(join(work, 'root'), { recursive: true });
    await downloadAndUnpack(names, work);
    await writeFile(join(work, 'root', MARKER), `${JSON.stringify({ names })}\n`);
    await moveIntoPlace(join(work, 'root'), target, names);
  } catch (error) {
    throw new Error(
      `can't fetch the Debian package${names.length > 1 ? 's' : ''} ${names.join(', ')}: ${reason(error)}`,
      {
        cause: error,
      },
    );
  } finally {
    await rm(work, { recursive: true, force: true });
  }
};

/**
 * The environment in which programs of an unpacked folder find their own libraries and engines first.
 * @param base the environment to extend.
 */
export const debianEnvironment = async (targetDir, base = process.env) => {
  const target = resolve(targetDir);
  const folders = [];
  for (const parent of [join(target, 'usr', 'lib'), join(target, 'lib')]) {
    for (const triplet of await foldersOf(parent)) {
      if (!triplet.includes('-linux-')) continue;
      folders.push(join(parent, triplet));
      // Some packages keep libraries one level below (their programs look there by absolute path).
      for (const folder of await foldersOf(join(parent, triplet))) {
        const files = await readdir(join(parent, triplet, folder));
        if (files.some((file) => /^lib.*\.so(\.|$)/.test(file))) folders.push(join(parent, triplet, folder));
      }
    }
  }
  if (base.LD_LIBRARY_PATH) folders.push(base.LD_LIBRARY_PATH);
  return { ...base, LD_LIBRARY_PATH: folders.join(':') };
};

const foldersOf = async (parent) => {
  const entries = await readdir(parent, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
};

const holds = async (target, names) => {
  const marker = await readFile(join(target, MARKER), 'utf8').catch(() => null);
  if (marker === null) return false;
  const present = JSON.parse(marker).names;
  return names.every((name) => present.includes(name));
};

const downloadAndUnpack = async (names, work) => {
  if (!(await hasCommand('apt-get')) || !(await hasCommand('dpkg-deb')))
    throw new Error('this machine has no apt-get and dpkg; install the programs with its own package manager');
  const archives = join(work, 'archives');
  const machineLists = aptOptions(join(work, 'cache'));
  try {
    await download(names, archives, machineLists);
  } catch {
    // No package lists (as in container images), or older than the mirror: read fresh ones, into our own folder.
    const lists = join(work, 'lists');
    await mkdir(join(lists, 'partial'), { recursive: true });
    const ownLists = [...machineLists, '-o', `Dir::State::Lists=${lists}`];
    await run('apt-get', [...ownLists, '-qq', 'update'], limits());
    await download(names, archives, ownLists);
  }
  for (const archive of await readdir(archives)) {
    await run('dpkg-deb', ['-x', join(archives, archive), join(work, 'root')], limits());
  }
  // `dpkg-deb -x` gives the folder the mode of the package's root.
  await chmod(join(work, 'root'), 0o755);
};

/** @param cache receives what apt would keep under /var/cache/apt, which only root may write. */
const aptOptions = (cache) => ['-o', `Dir::Cache=${cache}`, '-o', 'APT::Sandbox::User=', '-o', 'Debug::NoLocking=true'];

const download = async (names, folder, options) => {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const cache = options.find((option) => option.startsWith('Dir::Cache='))?.slice('Dir::Cache='.length);
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  const simulated = await run('apt-get', [...options, '-s', '--no-install-recommends', 'install', ...names], limits());
  const missing = [...simulated.stdout.matchAll(/^Inst (\S+)/gm)].map((match) => match[1]);
  const wanted = [...new Set([...names, ...missing])];
  await run('apt-get', [...options, '-q', 'download', ...wanted], { ...limits(), cwd: folder });
};

const moveIntoPlace = async (root, target, names) => {
  for (let attempt = 0; attempt < 2; attempt += 1) {
    try {
      return await rename(root, target);
    } catch (error) {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
      if (await holds(target, names)) return; // Another process was faster.
      await rm(target, { recursive: true, force: true }); // Left by another set of packages.
    }
  }
  throw new Error(`${target} is in use by another process`);
};

const hasCommand = async (command) =>
  run(command, ['--version']).then(
    () => true,
    () => false,
  );

const limits = () => ({
  timeout: COMMAND_TIMEOUT_MS,
  maxBuffer: 64 * 1024 * 1024,
  env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
});

const reason = (error) => {
  const lines = String(error.stderr || error.message)
    .split('\n')
    .filter((line) => /^E:|^Err/.test(line));
  return lines.length > 0 ? lines.join('; ') : error.message;
};
