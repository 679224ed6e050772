import {
  closeSync,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  ftruncateSync,
  openSync,
  read,
  readSync,
  writeSync,
} from 'node:fs';
import { punchHole } from './holes.ts';

/**
 * Random access to one file. Written bytes survive the process at once and the machine after a sync. A test puts
 * FaultyFile in its place, which loses and tears what was not synced.
 */
export interface BackingFile {
  readonly sizeBytes: number;
  /** Fills `target` whole. @throws Error on a short read. */
  readSync(target: Buffer, offsetBytes: number): void;
  read(target: Buffer, offsetBytes: number): Promise<void>;
  /** Writes `data` whole; grows the file where needed. */
  writeSync(data: Buffer, offsetBytes: number): void;
  /** Zeroes the range and gives its space back. @returns false when that is not possible, and then zeros must be written. */
  punchSync?(offsetBytes: number, lengthBytes: number): boolean;
  syncSync(): void;
  sync(): Promise<void>;
  close(): void;
}

export type OpenFile = (path: string, mode: 'existing' | 'create') => BackingFile;

class NodeFile implements BackingFile {
  readonly #fd: number;
  readonly #path: string;
  #sizeBytes: number;

  constructor(path: string, fd: number) {
    this.#path = path;
    this.#fd = fd;
    this.#sizeBytes = fstatSync(fd).size;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  readSync(target: Buffer, offsetBytes: number): void {
    let done = 0;
    while (done < target.length) {
      const count = readSync(this.#fd, target, done, target.length - done, offsetBytes + done);
      if (count === 0) throw this.#shortRead(offsetBytes + done);
      done += count;
    }
  }

  async read(target: Buffer, offsetBytes: number): Promise<void> {
    let done = 0;
    while (done < target.length) {
      const count = await new Promise<number>((resolve, reject) =>
        read(this.#fd, target, done, target.length - done, offsetBytes + done, (error, n) =>
          error ? reject(error) : resolve(n),
        ),
      );
      if (count === 0) throw this.#shortRead(offsetBytes + done);
      done += count;
    }
  }

  writeSync(data: Buffer, offsetBytes: number): void {
    let done = 0;
    while (done < data.length) done += writeSync(this.#fd, data, done, data.length - done, offsetBytes + done);
    if (offsetBytes + data.length > this.#sizeBytes) this.#sizeBytes = offsetBytes + data.length;
  }

  punchSync(offsetBytes: number, lengthBytes: number): boolean {
    return punchHole(this.#fd, offsetBytes, lengthBytes);
  }

  syncSync(): void {
    fdatasyncSync(this.#fd);
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => fdatasync(this.#fd, (error) => (error ? reject(error) : resolve())));
  }

  close(): void {
    closeSync(this.#fd);
  }

  #shortRead(offsetBytes: number): Error {
    return new Error(`${this.#path} ends at ${this.#sizeBytes} bytes; nothing to read at ${offsetBytes}`);
  }
}

export const openNodeFile: OpenFile = (path, mode) =>
  new NodeFile(path, openSync(path, mode === 'existing' ? 'r+' : 'w+', 0o600));

/** A device does not tell its size as a file does; `fd` is for who asks it otherwise, and closed with the file. */
export const openNodeDevice = (path: string, open: (path: string) => number): { file: BackingFile; fd: number } => {
  const fd = open(path);
  return { file: new NodeFile(path, fd), fd };
};

/** Makes a sparse file of exactly `sizeBytes`, or keeps the one that is there. */
export const createSparseFile = (path: string, sizeBytes: number): void => {
  const fd = openSync(path, 'a+', 0o600);
  try {
    if (fstatSync(fd).size !== sizeBytes) ftruncateSync(fd, sizeBytes);
    fdatasyncSync(fd);
  } finally {
    closeSync(fd);
  }
};
