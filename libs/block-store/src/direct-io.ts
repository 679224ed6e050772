import { closeSync, constants, fstatSync, openSync, read, write } from 'node:fs';

const { O_CREAT, O_DSYNC, O_EXCL, O_RDONLY, O_WRONLY } = constants;
/** Not every system has it. */
const O_DIRECT = (constants as { O_DIRECT?: number }).O_DIRECT ?? 0;

type Move = (fd: number, bytes: Uint8Array, offset: number) => Promise<number>;

const moved =
  (how: typeof read | typeof write): Move =>
  (fd, bytes, offset) =>
    new Promise((resolve, reject) => {
      const settle = (error: Error | null, count: number) => (error === null ? resolve(count) : reject(error));
      (how as typeof read)(fd, bytes, offset, bytes.length - offset, offset, settle);
    });

const received = moved(read);
const written = moved(write);

const isInvalid = (error: unknown): boolean => (error as NodeJS.ErrnoException).code === 'EINVAL';

/**
 * Moves bytes between a file and memory without the page cache: nobody comes back for a block soon, and pages that are filled
 * once cost more processor time than the disk does. Where the file system does not do that, or not with memory that is aligned
 * as this is, it goes through the page cache.
 * @returns bytes moved; fewer than there is room for at the end of the file, none if it has another size than `sizeBytes`.
 */
const transfer = async (path: string, flags: number, bytes: Uint8Array, move: Move, isSized: boolean) => {
  for (const direct of [O_DIRECT, 0]) {
    let fd: number | null = null;
    try {
      // The attempt that was refused may have made the file.
      fd = openSync(path, direct === 0 ? flags & ~O_EXCL : flags | direct, 0o600);
      if (isSized && fstatSync(fd).size !== bytes.length) return 0;
      for (let done = 0; ;) {
        const count = await move(fd, bytes, done);
        done += count;
        if (count === 0 || done === bytes.length) return done;
      }
    } catch (error) {
      if (direct === 0 || !isInvalid(error)) throw error;
    } finally {
      if (fd !== null) closeSync(fd);
    }
  }
  throw new Error('unreachable: the second attempt returns or throws');
};

/** Makes a file and writes all of it, durably but for its entry in the directory; only the disk's work is off the event loop. */
export const writeNewFileDirectly = async (path: string, content: Uint8Array): Promise<void> => {
  const count = await transfer(path, O_WRONLY | O_CREAT | O_EXCL | O_DSYNC, content, written, false);
  if (count !== content.length) throw new Error(`${path} took ${count} bytes of ${content.length}`);
};

/** @returns false: the file has not as many bytes as there is room for. @throws ENOENT, as the file system words it. */
export const readFileDirectly = async (path: string, target: Uint8Array): Promise<boolean> =>
  (await transfer(path, O_RDONLY, target, received, true)) === target.length;
