import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { Needles } from './needles.ts';

const CHUNK_BYTES = 1024 * 1024;
const DISK_SECTOR_BYTES = 512;
/** Smaller files are read with their holes, which takes less than to start a program. */
const MIN_SPARSE_BYTES = 16 * 1024 * 1024;

export interface ScanResult {
  readonly fileCount: number;
  readonly scannedBytes: number;
  /** Files that hold one of the needles. */
  readonly found: readonly string[];
}

/** Looks for any of `needles` in every file below `folder`: the proof that what must stay secret is nowhere on disk. */
export const scanForPlaintext = async (folder: string, needles: readonly Buffer[]): Promise<ScanResult> => {
  const all = new Needles(needles);
  const found: string[] = [];
  let fileCount = 0;
  let scannedBytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const result = await scanFile(path, all).catch(ifGone);
    if (result === null) continue;
    fileCount++;
    scannedBytes += result.bytes;
    if (result.hit) found.push(path);
  }
  return { fileCount, scannedBytes, found };
};

/** Servers delete files of their own while we look. */
const ifGone = (error: NodeJS.ErrnoException): null => {
  if (error.code === 'ENOENT') return null;
  throw error;
};

const scanFile = async (path: string, needles: Needles): Promise<{ hit: boolean; bytes: number }> => {
  const { size, blocks } = await stat(path);
  const isSparse = size >= MIN_SPARSE_BYTES && blocks * DISK_SECTOR_BYTES < size / 2;
  return isSparse
    ? scanSparse(path, needles)
    : scanStream(createReadStream(path, { highWaterMark: CHUNK_BYTES }), needles);
};

/** Node can't ask where a file's holes are. tar can, and passes over them: a volume is mostly holes. */
const scanSparse = async (path: string, needles: Needles) => {
  const tar = spawn('tar', ['--create', '--sparse', '--file', '-', '--absolute-names', path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exit = once(tar, 'exit');
  const result = await scanStream(tar.stdout, needles);
  const [code] = (await exit) as [number | null];
  if (code !== 0 && code !== 1) throw new Error(`tar could not read ${path}`); // 1: the file changed meanwhile.
  return result;
};

const scanStream = async (stream: Readable, needles: Needles): Promise<{ hit: boolean; bytes: number }> => {
  let tail: Buffer = Buffer.alloc(0);
  let hit = false;
  let bytes = 0;
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    const window = Buffer.concat([tail, chunk]);
    hit ||= needles.areIn(window);
    tail = Buffer.from(window.subarray(Math.max(0, window.length - needles.overlapBytes)));
  }
  return { hit, bytes };
};
