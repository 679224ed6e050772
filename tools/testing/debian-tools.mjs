// The programs of other projects that tests and benchmarks run against us: taken from PATH, else fetched.
import { accessSync, constants, existsSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { debianEnvironment, unpackDebianPackages } from '../debian/unpack.mjs';

/** The repository, from its sources and from a bundle of them. */
const findRoot = (folder) => {
  if (existsSync(join(folder, 'package-lock.json'))) return folder;
  if (dirname(folder) === folder) throw new Error('not inside the repository');
  return findRoot(dirname(folder));
};
const CACHE = join(findRoot(dirname(fileURLToPath(import.meta.url))), '.cache', 'debian');

/** Packages that are fetched together, and the programs we use of them. */
const SETS = {
  'nbd-clients': {
    packages: ['libnbd-bin', 'qemu-utils', 'fio'],
    programs: ['nbdinfo', 'nbdcopy', 'nbdfuse', 'qemu-img', 'qemu-io', 'qemu-nbd', 'fio'],
  },
  nbdkit: { packages: ['nbdkit'], programs: ['nbdkit'] },
  rsync: { packages: ['rsync'], programs: ['rsync'] },
  openssl: { packages: ['openssl'], programs: ['openssl'] },
  // What apt would bring besides (command line, LVM, file systems) is not needed by the daemons.
  ceph: { packages: ['radosgw', 'ceph-osd', 'ceph-mon'], programs: ['radosgw'] },
  softhsm: { packages: ['softhsm2'], programs: ['softhsm2-util'] },
};

/**
 * Finds a program, fetching its Debian package into .cache/debian when PATH has none.
 * @returns its path, and the environment to start it with.
 * @throws Error saying what to install, when it can't be had.
 */
export const debianTool = async (program) => {
  const installed = findOnPath(program);
  if (installed !== null) return { path: installed, env: process.env };
  const set = Object.entries(SETS).find(([, { programs }]) => programs.includes(program));
  if (set === undefined) throw new Error(`no package is known for ${program}`);
  const [name, { packages }] = set;
  const folder = join(CACHE, name);
  try {
    await unpackDebianPackages(packages, folder);
  } catch (error) {
    throw new Error(`${program} is not on PATH, and ${error.message}`, { cause: error });
  }
  const path = ['usr/bin', 'usr/sbin'].map((bin) => join(folder, bin, program)).find(isExecutable);
  if (path === undefined) throw new Error(`${packages.join(', ')} hold no ${program}`);
  return { path, env: await debianEnvironment(folder) };
};

const findOnPath = (program) =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => folder !== '')
    .map((folder) => join(folder, program))
    .find(isExecutable) ?? null;

const isExecutable = (path) => {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};
