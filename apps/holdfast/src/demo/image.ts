import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { UserError } from '../errors.ts';

const run = promisify(execFile);

/** Folders and files of the repository that go into the image, besides a marker that is nowhere else. */
const SOURCES = [
  'apps',
  'libs',
  'docs',
  'tools',
  'README.md',
  'LICENSE',
  'package-lock.json',
  'node_modules/typescript/lib',
];
const IMAGE_BYTES = 192 * 1024 * 1024;

export interface Image {
  readonly path: string;
  readonly sizeBytes: number;
  readonly fileCount: number;
  /** Texts that the image holds as plain bytes: if one is found on disk, plaintext has leaked. */
  readonly markers: readonly string[];
  remove(): Promise<void>;
}

/** An ext4 image of the repository's own files. @throws UserError without mke2fs */
export const makeImage = async (repository: string): Promise<Image> => {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-image-'));
  const tree = join(folder, 'tree');
  await mkdir(tree);
  for (const source of SOURCES) {
    await cp(join(repository, source), join(tree, source), {
      recursive: true,
      filter: (path) => !path.includes('/native/build'),
    });
  }
  const marker = `holdfast demonstration ${randomBytes(16).toString('hex')}`;
  await writeFile(join(tree, 'marker.txt'), `${marker}\n`.repeat(10_000));
  const license =
    (await readFile(join(tree, 'LICENSE'), 'utf8')).split('\n').find((line) => line.length > 60) ?? marker;
  const path = join(folder, 'image.ext4');
  const file = await open(path, 'w');
  await file.truncate(IMAGE_BYTES);
  await file.close();
  await format(path, tree);
  const fileCount = (await readdir(tree, { recursive: true })).length;
  await rm(tree, { recursive: true });
  const remove = () => rm(folder, { recursive: true, force: true });
  return { path, sizeBytes: IMAGE_BYTES, fileCount, markers: [marker, license.trim()], remove };
};

const format = async (path: string, tree: string) => {
  const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  try {
    await run('mke2fs', ['-q', '-t', 'ext4', '-d', tree, path], { env: { ...process.env, PATH } });
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
    throw new UserError('mke2fs is not on this machine: install e2fsprogs');
  }
};

/** Checks the filesystem of an image read back from a volume. @throws Error with e2fsck's complaint */
export const checkFilesystem = async (path: string): Promise<void> => {
  const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
  await run('e2fsck', ['-f', '-n', path], { env: { ...process.env, PATH } });
};
