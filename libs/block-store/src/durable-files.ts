import { randomBytes } from 'node:crypto';
import { closeSync, fsync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { writeNewFileDirectly } from './direct-io.ts';

/** Makes the entries of a directory durable. */
export const syncDirectory = (path: string): void => {
  const fd = openSync(path, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
};

/** Like syncDirectory, but the wait for the disk is off the event loop. */
export const syncDirectoryAsync = async (path: string): Promise<void> => {
  const fd = openSync(path, 'r');
  try {
    await new Promise<void>((resolve, reject) => fsync(fd, (error) => (error ? reject(error) : resolve())));
  } finally {
    closeSync(fd);
  }
};

/** Makes a directory, its parents too, and its entry durable. */
export const makeDirectory = (path: string): void => {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 });
  if (first !== undefined) syncDirectory(dirname(path));
};

/** Of a file that is to get another name; a collector knows from it which process it belongs to. */
export const temporaryName = (path: string) => `${path}.${process.pid}-${randomBytes(6).toString('hex')}.tmp`;

/** The file is there whole or not at all, whatever fails and when; an older one is replaced. */
export const writeFileDurably = (path: string, content: Uint8Array | string): void => {
  const temporary = temporaryName(path);
  const bytes = typeof content === 'string' ? Buffer.from(content) : content;
  const fd = openSync(temporary, 'wx', 0o600);
  try {
    try {
      for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
  syncDirectory(dirname(path));
};

/** Like writeFileDurably, off the event loop; `sync` false leaves the directory entry to a later syncDirectory. */
export const writeFileDurablyAsync = async (path: string, content: Uint8Array, sync = true): Promise<void> => {
  const temporary = temporaryName(path);
  const handle = await open(temporary, 'wx', 0o600);
  try {
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  if (sync) await syncDirectoryAsync(dirname(path));
};

/**
 * Like writeFileDurablyAsync, but only the wait for the disk is off the event loop: everything else takes less time there than
 * it takes to hand it to another thread. The directory entry is left to a later syncDirectory.
 */
export const writeFileThenSync = async (path: string, content: Uint8Array): Promise<void> => {
  const temporary = temporaryName(path);
  try {
    await writeNewFileDirectly(temporary, content);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw error;
  }
};
