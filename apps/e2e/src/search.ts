import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const CHUNK_BYTES = 4 << 20;
const HOLE = Buffer.alloc(CHUNK_BYTES);

const holdsAny = async (path: string, needles: readonly Buffer[]): Promise<boolean> => {
  const overlap = Math.max(...needles.map(({ length }) => length)) - 1;
  const file = await open(path);
  const chunk = Buffer.alloc(CHUNK_BYTES);
  let tail = Buffer.alloc(0);
  try {
    for (let position = 0; ; position += CHUNK_BYTES) {
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES, position);
      if (bytesRead === 0) return false;
      if (bytesRead === CHUNK_BYTES && chunk.equals(HOLE)) {
        tail = Buffer.alloc(0);
        continue;
      }
      const window = Buffer.concat([tail, chunk.subarray(0, bytesRead)]);
      if (needles.some((needle) => window.includes(needle))) return true;
      tail = Buffer.from(window.subarray(-overlap));
    }
  } finally {
    await file.close();
  }
};

/** Paths of the files below `folder` that hold one of `needles` anywhere. */
export const filesContaining = async (folder: string, needles: readonly Buffer[]): Promise<string[]> => {
  const found: string[] = [];
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const holds = await holdsAny(path, needles).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return false; // Servers delete files of their own meanwhile.
      throw error;
    });
    if (holds) found.push(path);
  }
  return found;
};
