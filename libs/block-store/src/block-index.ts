import { lstat, lutimes, readdir, readlink, rename, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory, syncDirectoryAsync, temporaryName } from './durable-files.ts';
import { type BlockPlace, linkTarget, parseLinkTarget } from './segment.ts';

/**
 * Blocks by their digests, as files of one folder: an entry's name is a block's digest, its age is when the block was last
 * put. An entry holds the block's bytes, or is a symbolic link that names its place in a segment of an object store (the
 * link is never followed). One collector serves both, and all processes of a host share the index without locks.
 */

/** @returns folder and file name of a block under the store's root. */
export const blockPath = (digest: Buffer): { folder: string; file: string } => {
  const name = digest.toString('hex');
  return { folder: name.slice(0, 2), file: name.slice(2) };
};

/** Where a collector keeps the blocks that it is about to remove. */
export const trashFolder = (root: string): string => join(root, 'trash');

/** Marks of the segments that are being written. */
export const writingFolder = (root: string): string => join(root, 'writing');

/** @param name of the block: its digest in hexadecimal. */
export const asidePath = (root: string, name: string): string => join(trashFolder(root), name);

export const isAbsent = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'ENOENT';

/** One system call, so that a collector either sees the new age or has already taken the entry away. @returns whether it is there. */
export const renewEntry = async (path: string): Promise<boolean> => {
  const now = new Date();
  try {
    await lutimes(path, now, now);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
};

/**
 * Reads an entry. A collector moves one aside before it looks whether it was put again just now, and then moves it back.
 * @returns null: there is none.
 */
export const findEntry = async <Found>(
  root: string,
  digest: Buffer,
  read: (path: string) => Found | Promise<Found>,
): Promise<Found | null> => {
  const { folder, file } = blockPath(digest);
  const path = join(root, folder, file);
  for (const place of [path, asidePath(root, folder + file), path]) {
    try {
      return await read(place);
    } catch (error) {
      if (!isAbsent(error)) throw error;
    }
  }
  return null;
};

/** @returns the place in a segment that an entry stands for; null: it holds the block itself. @throws ENOENT, as the file system words it. */
export const placeOfEntry = async (path: string): Promise<BlockPlace | null> => {
  try {
    const target = await readlink(path);
    const place = parseLinkTarget(target);
    if (place === null) throw new Error(`${path} is a link to ${target}, which is no place in a segment`);
    return place;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EINVAL') return null;
    throw error;
  }
};

/** Milliseconds; of the entry itself. @throws ENOENT, as the file system words it. */
export const ageOfEntry = async (path: string): Promise<number> => (await lstat(path)).mtimeMs;

/** Folders of the index that were changed and are not synced yet. */
export class UnsyncedFolders {
  readonly #root: string;
  readonly #changed = new Set<string>();
  readonly #known = new Set<string>();

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes the folder if need be. */
  prepare(folder: string): void {
    if (!this.#known.has(folder)) makeDirectory(join(this.#root, folder));
    this.#known.add(folder);
  }

  add(folder: string): void {
    this.#changed.add(folder);
  }

  async sync(): Promise<void> {
    const folders = [...this.#changed];
    this.#changed.clear();
    try {
      await Promise.all(folders.map((folder) => syncDirectoryAsync(join(this.#root, folder))));
    } catch (error) {
      for (const folder of folders) this.#changed.add(folder);
      throw error;
    }
  }
}

/** Adds an entry, or renews the one that is there. Durable once the folder is synced. */
export const linkEntry = async (
  root: string,
  digest: Buffer,
  place: BlockPlace,
  folders: UnsyncedFolders,
): Promise<void> => {
  const { folder, file } = blockPath(digest);
  const path = join(root, folder, file);
  folders.prepare(folder);
  for (;;) {
    try {
      await symlink(linkTarget(place), path);
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    if (await renewEntry(path)) break;
  }
  folders.add(folder);
};

/** Puts a place where the block itself was, or another place: in one step, for whoever reads it meanwhile. */
export const replaceEntry: typeof linkEntry = async (root, digest, place, folders) => {
  const { folder, file } = blockPath(digest);
  const path = join(root, folder, file);
  const temporary = temporaryName(path);
  await symlink(linkTarget(place), temporary);
  await rename(temporary, path);
  folders.add(folder);
};

/** Empty for a folder that is not there. */
export const namesIn = async (folder: string): Promise<string[]> => {
  try {
    return await readdir(folder);
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
};

export interface IndexEntry {
  /** Hexadecimal. */
  readonly digest: string;
  readonly path: string;
}

/** Folders of the index, which holds at most 256. */
export const indexFolders = async (root: string): Promise<string[]> =>
  (await namesIn(root)).filter((name) => /^[0-9a-f]{2}$/.test(name));

/** Every entry that is not laid aside, a folder at a time: those that are added meanwhile may be among them or not. */
export async function* indexEntries(root: string): AsyncGenerator<IndexEntry> {
  for (const folder of await indexFolders(root)) {
    for (const file of await namesIn(join(root, folder)))
      if (/^[0-9a-f]{62}$/.test(file)) yield { digest: folder + file, path: join(root, folder, file) };
  }
}
