import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import type { BackingFile, OpenFile } from '../backing-file.ts';

const PAGE_BYTES = 4_096;
/** Larger files are taken for sparse ones that nothing was written to. */
const LOADED_BYTES = 4_194_304;

/** Mulberry32: small, seeded, good enough to choose what to break. */
export const seededRandom = (seed: number): (() => number) => {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

interface FileState {
  readonly durable: Map<number, Buffer>;
  readonly cached: Map<number, Buffer>;
  durableSizeBytes: number;
  sizeBytes: number;
  /** Pages written since the last sync, in the order of their writes, with what each write made of them. */
  unsynced: { page: number; content: Buffer }[];
}

/**
 * Files on a disk that fails as disks do: when the power is cut, of the pages of 4 KiB written since a file's last sync
 * any may be there and any not, in the version of any write. Before that, all is as written. A failing test prints the seed.
 */
export class FaultyBlockDevice {
  readonly #random: () => number;
  readonly #files = new Map<string, FileState>();
  #incarnation = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  readonly openFile: OpenFile = (path, mode) => {
    if (mode === 'create') {
      writeFileSync(path, '');
      this.#files.set(path, emptyFile(0));
    } else if (!this.#files.has(path)) {
      this.#files.set(path, loadFile(path));
    }
    const state = this.#files.get(path);
    if (state === undefined) throw new Error(`${path} was not opened`);
    return this.#handle(state);
  };

  /** The process is gone, the page cache is not: handles stop working, contents stay. */
  kill(): void {
    this.#incarnation++;
    for (const path of this.#files.keys()) if (!existsSync(path)) this.#files.delete(path);
  }

  /** The page cache is gone too. */
  cutPower(): void {
    this.kill();
    for (const state of this.#files.values()) {
      for (const { page, content } of state.unsynced) if (this.#random() < 0.5) state.durable.set(page, content);
      const grown = state.unsynced.length > 0 && this.#random() < 0.5;
      if (grown) state.durableSizeBytes = state.sizeBytes;
      state.sizeBytes = state.durableSizeBytes;
      state.cached.clear();
      for (const [page, content] of state.durable) {
        if (page * PAGE_BYTES < state.sizeBytes) state.cached.set(page, content);
        else state.durable.delete(page);
      }
      state.unsynced = [];
    }
  }

  #handle(state: FileState): BackingFile {
    const born = this.#incarnation;
    const alive = () => {
      if (born !== this.#incarnation) throw new Error('this process has been killed');
    };
    const readSync = (target: Buffer, offsetBytes: number) => {
      alive();
      if (offsetBytes + target.length > state.sizeBytes) throw new Error('short read');
      target.fill(0);
      eachPage(offsetBytes, target.length, (page, inPage, at, length) => {
        state.cached.get(page)?.copy(target, at, inPage, inPage + length);
      });
    };
    const syncSync = () => {
      alive();
      for (const [page, content] of state.cached) state.durable.set(page, content);
      state.durableSizeBytes = state.sizeBytes;
      state.unsynced = [];
    };
    return {
      get sizeBytes() {
        return state.sizeBytes;
      },
      readSync,
      syncSync,
      read: async (target, offsetBytes) => {
        await new Promise((resolve) => setImmediate(resolve));
        readSync(target, offsetBytes);
      },
      sync: async () => {
        // What is written while a sync runs need not be covered by it.
        const covered = new Map(state.cached);
        const size = state.sizeBytes;
        const count = state.unsynced.length;
        await new Promise((resolve) => setImmediate(resolve));
        alive();
        for (const [page, content] of covered) state.durable.set(page, content);
        state.durableSizeBytes = Math.max(state.durableSizeBytes, size);
        state.unsynced = state.unsynced.slice(Math.min(count, state.unsynced.length));
      },
      writeSync: (data, offsetBytes) => {
        alive();
        eachPage(offsetBytes, data.length, (page, inPage, at, length) => {
          const content = Buffer.from(state.cached.get(page) ?? Buffer.alloc(PAGE_BYTES));
          data.copy(content, inPage, at, at + length);
          state.cached.set(page, content);
          state.unsynced.push({ page, content });
        });
        state.sizeBytes = Math.max(state.sizeBytes, offsetBytes + data.length);
      },
      close: () => undefined,
    };
  }
}

const emptyFile = (sizeBytes: number): FileState => ({
  durable: new Map(),
  cached: new Map(),
  durableSizeBytes: sizeBytes,
  sizeBytes,
  unsynced: [],
});

const loadFile = (path: string): FileState => {
  const state = emptyFile(statSync(path).size);
  if (state.sizeBytes > LOADED_BYTES) return state;
  const bytes = readFileSync(path);
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
    const page = Buffer.alloc(PAGE_BYTES);
    bytes.copy(page, 0, at, at + PAGE_BYTES);
    state.durable.set(at / PAGE_BYTES, page);
    state.cached.set(at / PAGE_BYTES, page);
  }
  return state;
};

const eachPage = (
  offsetBytes: number,
  lengthBytes: number,
  visit: (page: number, inPage: number, at: number, length: number) => void,
): void => {
  for (let at = 0; at < lengthBytes;) {
    const inPage = (offsetBytes + at) % PAGE_BYTES;
    const length = Math.min(PAGE_BYTES - inPage, lengthBytes - at);
    visit((offsetBytes + at - inPage) / PAGE_BYTES, inPage, at, length);
    at += length;
  }
};
