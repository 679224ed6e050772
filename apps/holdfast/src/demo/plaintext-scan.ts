import { open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';

const CHUNK_BYTES = 4 * 1024 * 1024;

export interface ScanResult {
  readonly fileCount: number;
  readonly scannedBytes: number;
  /** Files that hold one of the texts. */
  readonly found: readonly string[];
}

/** Looks for any of `texts`, as bytes, in every file below `folder`. */
export const scanForPlaintext = async (folder: string, texts: readonly string[]): Promise<ScanResult> => {
  const found: string[] = [];
  let fileCount = 0;
  let scannedBytes = 0;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const result = await scanFile(path, texts).catch(ifGone);
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

const scanFile = async (path: string, texts: readonly string[]): Promise<{ hit: boolean; bytes: number }> => {
  if ((await stat(path)).blocks === 0) return { hit: false, bytes: 0 }; // A hole from end to end.
  const overlap = Math.max(...texts.map((text) => text.length)) - 1;
  const file = await open(path);
  const buffer = Buffer.alloc(CHUNK_BYTES + overlap);
  try {
    for (let position = 0, kept = 0; ;) {
      const { bytesRead } = await file.read(buffer, kept, CHUNK_BYTES, position);
      if (bytesRead === 0) return { hit: false, bytes: position };
      const window = buffer.subarray(0, kept + bytesRead);
      if (texts.some((text) => window.includes(text))) return { hit: true, bytes: position };
      position += bytesRead;
      kept = Math.min(overlap, window.length);
      buffer.copyWithin(0, window.length - kept, window.length);
    }
  } finally {
    await file.close();
  }
};
