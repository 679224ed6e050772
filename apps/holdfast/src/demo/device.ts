import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { NbdClient } from '@holdfast/nbd/client';

const CHUNK_BYTES = 1024 * 1024;
const IN_FLIGHT = 8;

/** Runs `work` for every chunk of `sizeBytes`, several at a time. */
const eachChunk = async (sizeBytes: number, work: (offsetBytes: number, lengthBytes: number) => Promise<void>) => {
  let next = 0;
  const worker = async () => {
    while (next < sizeBytes) {
      const offsetBytes = next;
      next += CHUNK_BYTES;
      await work(offsetBytes, Math.min(CHUNK_BYTES, sizeBytes - offsetBytes));
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
};

const readChunk = async (file: FileHandle, offsetBytes: number, lengthBytes: number): Promise<Buffer> => {
  const chunk = Buffer.allocUnsafe(lengthBytes);
  await file.read(chunk, 0, lengthBytes, offsetBytes);
  return chunk;
};

/** Writes a file to the start of an attached volume and flushes it. */
export const writeFileToDevice = async (socketPath: string, path: string, sizeBytes: number): Promise<void> => {
  const client = await NbdClient.connect(socketPath);
  const file = await open(path);
  try {
    await eachChunk(sizeBytes, async (offset, length) => client.write(offset, await readChunk(file, offset, length)));
    await client.flush();
  } finally {
    await file.close();
    await client.close();
  }
};

/** Compares an attached volume's start with a file, byte by byte. @returns the offset of the first difference, or null. */
export const firstDifference = async (socketPath: string, path: string, sizeBytes: number): Promise<number | null> => {
  const client = await NbdClient.connect(socketPath);
  const file = await open(path);
  let first: number | null = null;
  try {
    await eachChunk(sizeBytes, async (offset, length) => {
      const [expected, actual] = await Promise.all([readChunk(file, offset, length), client.read(offset, length)]);
      if (expected.equals(actual)) return;
      const at = offset + expected.findIndex((byte, i) => byte !== actual[i]);
      if (first === null || at < first) first = at;
    });
    return first;
  } finally {
    await file.close();
    await client.close();
  }
};

/** Keeps writing over the start of a volume until told to stop; the writes are real and change what the guest reads. */
export const writeOnAndOn = async (socketPath: string, sizeBytes: number): Promise<{ stop(): Promise<number> }> => {
  const client = await NbdClient.connect(socketPath);
  let going = true;
  let writes = 0;
  const loop = (async () => {
    while (going) {
      const seed = createHash('sha256').update(String(writes)).digest();
      const offset = (seed.readUInt32BE(0) % Math.floor(sizeBytes / CHUNK_BYTES)) * CHUNK_BYTES;
      await client.write(offset, Buffer.alloc(64 * 1024, seed));
      writes++;
    }
  })();
  return {
    stop: async () => {
      going = false;
      await loop;
      await client.flush();
      await client.close();
      return writes;
    },
  };
};
