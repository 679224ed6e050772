import { closeSync, fstatSync, openSync, readSync, renameSync, statSync } from 'node:fs';

/** A log that has grown beyond this is put aside at the next start, where it replaces the one before. */
const MAX_LOG_BYTES = 16 * 1024 * 1024;

/** A file that servers append to, and what one of them has written. */
export interface ServerLog {
  /** For the server's standard output and error. */
  readonly fd: number;
  /** What was written since the log was opened. */
  text(): string;
  close(): void;
}

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** Opens a log for appending; mode 0600. */
export const openServerLog = (path: string): ServerLog => {
  if (sizeOf(path) > MAX_LOG_BYTES) renameSync(path, `${path}.1`);
  const fd = openSync(path, 'a+', 0o600);
  const begin = fstatSync(fd).size;
  return {
    fd,
    text: () => {
      const written = Buffer.alloc(Math.max(0, fstatSync(fd).size - begin));
      return written.toString('utf8', 0, readSync(fd, written, 0, written.length, begin));
    },
    close: () => closeSync(fd),
  };
};
