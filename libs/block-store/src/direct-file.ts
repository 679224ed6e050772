import {
  closeSync,
  constants,
  fdatasync,
  fdatasyncSync,
  fstatSync,
  openSync,
  read,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { alignedMemory } from '@holdfast/block-wire';
import type { BackingFile, OpenFile } from './backing-file.ts';
import { punchHole } from './holes.ts';

/** Of memory, offsets and lengths: what disks with the largest sectors ask of direct I/O. */
const ALIGNMENT_BYTES = 4_096;
const PIECE_BYTES = 262_144;
/** More at once than a host has threads for. */
const PIECES = 32;
/** Not every system has it. */
const O_DIRECT = (constants as { O_DIRECT?: number }).O_DIRECT;

const alignDown = (bytes: number): number => bytes - (bytes % ALIGNMENT_BYTES);
const alignUp = (bytes: number): number => alignDown(bytes + ALIGNMENT_BYTES - 1);

/** Memory that the disk may read and write itself, shared by all files of the process. */
class Pieces {
  /** For what is done in one turn of the event loop. */
  readonly own: Buffer;
  readonly #free: Buffer[];
  readonly #waiting: ((piece: Buffer) => void)[] = [];

  constructor() {
    const memory = alignedMemory((PIECES + 1) * PIECE_BYTES);
    const piece = (index: number) => Buffer.from(memory, index * PIECE_BYTES, PIECE_BYTES);
    this.own = piece(PIECES);
    this.#free = Array.from({ length: PIECES }, (_, index) => piece(index));
  }

  async with<T>(use: (piece: Buffer) => Promise<T>): Promise<T> {
    const piece = this.#free.pop() ?? (await new Promise<Buffer>((resolve) => this.#waiting.push(resolve)));
    try {
      return await use(piece);
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free.push(piece);
      else next(piece);
    }
  }
}
let shared: Pieces | null = null;

/** Of a range, what one piece holds: `lengthBytes` from `startBytes`, of which `count` bytes after the first `skip` are wanted. */
const pieceOf = (offsetBytes: number, wantedBytes: number) => {
  const startBytes = alignDown(offsetBytes);
  const skip = offsetBytes - startBytes;
  const lengthBytes = Math.min(PIECE_BYTES, alignUp(skip + wantedBytes));
  return { startBytes, skip, lengthBytes, count: Math.min(wantedBytes, lengthBytes - skip) };
};

/**
 * A file past the page cache (O_DIRECT): its bytes are in the guest's cache, and are not kept once more by the host. What is not
 * aligned is copied by way of memory that is; of a part of a sector's page the rest is read and written back. It does not grow.
 */
class DirectFile implements BackingFile {
  readonly sizeBytes: number;
  readonly #fd: number;
  readonly #pieces: Pieces;

  constructor(fd: number, sizeBytes: number) {
    this.#fd = fd;
    this.sizeBytes = alignDown(sizeBytes);
    this.#pieces = shared ??= new Pieces();
  }

  readSync(target: Buffer, offsetBytes: number): void {
    this.#check(offsetBytes, target.length);
    for (let done = 0; done < target.length;) {
      const { startBytes, skip, lengthBytes, count } = pieceOf(offsetBytes + done, target.length - done);
      this.#fill(this.#pieces.own.subarray(0, lengthBytes), startBytes);
      this.#pieces.own.copy(target, done, skip, skip + count);
      done += count;
    }
  }

  async read(target: Buffer, offsetBytes: number): Promise<void> {
    this.#check(offsetBytes, target.length);
    for (let done = 0; done < target.length;) {
      const { startBytes, skip, lengthBytes, count } = pieceOf(offsetBytes + done, target.length - done);
      await this.#pieces.with(async (piece) => {
        for (let filled = 0; filled < lengthBytes;)
          filled += await this.#readSome(piece, filled, lengthBytes, startBytes);
        piece.copy(target, done, skip, skip + count);
      });
      done += count;
    }
  }

  writeSync(data: Buffer, offsetBytes: number): void {
    this.#check(offsetBytes, data.length);
    const { own } = this.#pieces;
    for (let done = 0; done < data.length;) {
      const { startBytes, skip, lengthBytes, count } = pieceOf(offsetBytes + done, data.length - done);
      const last = lengthBytes - ALIGNMENT_BYTES;
      if (skip > 0) this.#fill(own.subarray(0, ALIGNMENT_BYTES), startBytes);
      if (skip + count < lengthBytes && (last > 0 || skip === 0))
        this.#fill(own.subarray(last, lengthBytes), startBytes + last);
      data.copy(own, skip, done, done + count);
      for (let written = 0; written < lengthBytes;)
        written += writeSync(this.#fd, own, written, lengthBytes - written, startBytes + written);
      done += count;
    }
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

  #fill(piece: Buffer, offsetBytes: number): void {
    for (let filled = 0; filled < piece.length;) {
      const count = readSync(this.#fd, piece, filled, piece.length - filled, offsetBytes + filled);
      if (count === 0) throw new Error(`nothing to read at ${String(offsetBytes + filled)}`);
      filled += count;
    }
  }

  #readSome(piece: Buffer, filled: number, lengthBytes: number, startBytes: number): Promise<number> {
    return new Promise((resolve, reject) =>
      read(this.#fd, piece, filled, lengthBytes - filled, startBytes + filled, (error, count) => {
        if (error !== null) reject(error);
        else if (count === 0) reject(new Error(`nothing to read at ${String(startBytes + filled)}`));
        else resolve(count);
      }),
    );
  }

  #check(offsetBytes: number, lengthBytes: number): void {
    if (offsetBytes < 0 || offsetBytes + lengthBytes > this.sizeBytes)
      throw new RangeError(
        `nothing at ${String(offsetBytes)}+${String(lengthBytes)} of ${String(this.sizeBytes)} bytes`,
      );
  }
}

/** @throws EINVAL, as the file system words it, where it has no direct I/O. */
const openDirect = (path: string): number => {
  if (O_DIRECT === undefined) throw new Error('this system has no direct I/O');
  return openSync(path, constants.O_RDWR | O_DIRECT);
};

/** Opens a file that is there, of whole pages of 4 KiB, past the page cache. @throws EINVAL where its file system can't. */
export const openDirectFile: OpenFile = (path) => {
  const fd = openDirect(path);
  return new DirectFile(fd, fstatSync(fd).size);
};

/** @throws Error saying so, where files of this folder can't be opened past the page cache. */
export const assertDirectIo = (folder: string): void => {
  const path = join(folder, `direct-io-${String(process.pid)}.tmp`);
  try {
    writeFileSync(path, Buffer.alloc(ALIGNMENT_BYTES), { mode: 0o600 });
    const file = openDirectFile(path, 'existing');
    file.readSync(Buffer.alloc(1), 0);
    file.close();
  } catch (error) {
    throw new Error(`no direct I/O in ${folder}: ${(error as Error).message}`, { cause: error });
  } finally {
    rmSync(path, { force: true });
  }
};

/** Opens what `fd` is once more, past the page cache. Who owns a device alone goes on owning it by `fd`. */
export const openDirectDevice = (fd: number, sizeBytes: number): BackingFile =>
  new DirectFile(openDirect(`/proc/self/fd/${String(fd)}`), sizeBytes);
