import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { debianEnvironment, unpackDebianPackages } from './unpack.mjs';

let folder: string;
let target: string;
const realPath = process.env.PATH;

/** Stands in for a program: a shell script that notes how it was called. */
const fake = async (program: string, script: string): Promise<void> => {
  const path = join(folder, 'bin', program);
  await writeFile(path, `#!/bin/sh\necho "${program} $*" >> ${folder}/calls\n${script}\n`);
  await chmod(path, 0o755);
};
const calls = async (): Promise<string> => readFile(join(folder, 'calls'), 'utf8').catch(() => '');

/** As apt does: knows packages only where there are lists, `good` and the library it needs. */
const APT = `
case "$*" in
  *--version*) exit 0 ;;
  *update*) exit 0 ;;
esac
case "$*" in *"$LISTS"*) ;; *) echo "E: Unable to locate package" >&2; exit 100 ;; esac
case "$*" in
  *missing*) echo "E: Unable to locate package missing" >&2; exit 100 ;;
  *" -s "*) echo "Inst libgood (1.0)"; echo "Inst good (1.0)" ;;
  *download*) touch good.deb libgood.deb ;;
esac`;
const DPKG = `case "$1" in -x) mkdir -p "$3/usr/bin"; touch "$3/usr/bin/$(basename "$2" .deb)" ;; esac`;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'unpack-'));
  target = join(folder, 'cache', 'good');
  await mkdir(join(folder, 'bin'));
  process.env.PATH = `${join(folder, 'bin')}${delimiter}${realPath}`;
  await fake('dpkg-deb', DPKG);
  await fake('apt-get', APT.replace('$LISTS', ''));
});
afterEach(async () => {
  process.env.PATH = realPath;
  await rm(folder, { recursive: true, force: true });
});

it('unpacks a package and what it needs, once', async () => {
  await unpackDebianPackages(['good'], target);
  expect(await readdir(join(target, 'usr', 'bin'))).toEqual(['good', 'libgood']);
  const before = await calls();
  await unpackDebianPackages(['good'], target);
  expect(await calls()).toBe(before);
  expect(await readdir(join(folder, 'cache'))).toEqual(['good']);
});

it("reads package lists into a folder of its own where the machine's know nothing", async () => {
  await fake('apt-get', APT.replace('$LISTS', 'Dir::State::Lists'));
  await unpackDebianPackages(['good'], target);
  expect(await calls()).toMatch(/Dir::State::Lists=\S+\.partial\/lists .*update/);
  expect(await readdir(join(target, 'usr', 'bin'))).toEqual(['good', 'libgood']);
});

it('says which package it could not have, and leaves nothing behind', async () => {
  await expect(unpackDebianPackages(['missing'], target)).rejects.toThrow(
    "can't fetch the Debian package missing: E: Unable to locate package missing",
  );
  expect(await readdir(join(folder, 'cache'))).toEqual([]);
});

it('says so where there is no apt', async () => {
  await rm(join(folder, 'bin', 'apt-get'));
  process.env.PATH = join(folder, 'bin');
  await expect(unpackDebianPackages(['good'], target)).rejects.toThrow('no apt-get');
});

it('may be run by several processes at a time', async () => {
  await Promise.all(Array.from({ length: 4 }, () => unpackDebianPackages(['good'], target)));
  expect(await readdir(join(folder, 'cache'))).toEqual(['good']);
  expect(await readdir(join(target, 'usr', 'bin'))).toEqual(['good', 'libgood']);
});

it('finds the libraries of an unpacked folder before the others', async () => {
  const lib = join(target, 'usr', 'lib', 'x86_64-linux-gnu');
  await mkdir(join(lib, 'ceph'), { recursive: true });
  await mkdir(join(lib, 'plugins'));
  await writeFile(join(lib, 'ceph', 'libceph.so.2'), '');
  const { LD_LIBRARY_PATH } = await debianEnvironment(target, { LD_LIBRARY_PATH: '/before' });
  expect(LD_LIBRARY_PATH).toBe([lib, join(lib, 'ceph'), '/before'].join(':'));
});
