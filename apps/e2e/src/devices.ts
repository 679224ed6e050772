import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { NbdClient } from '@holdfast/nbd/client';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';

const run = promisify(execFile);
const CHUNK_BYTES = 1 << 20;

const onDevice = async <T>(socketPath: string, work: (client: NbdClient) => Promise<T>): Promise<T> => {
  const client = await NbdClient.connect(socketPath);
  try {
    return await work(client);
  } finally {
    await client.close();
  }
};

/** Writes to the start of an attached volume and flushes. */
export const writeDevice = (socketPath: string, data: Buffer): Promise<void> =>
  onDevice(socketPath, async (client) => {
    for (let offset = 0; offset < data.length; offset += CHUNK_BYTES) {
      await client.write(offset, data.subarray(offset, offset + CHUNK_BYTES));
    }
    await client.flush();
  });

/** Reads the first bytes of an attached volume. */
export const readDevice = (socketPath: string, lengthBytes: number): Promise<Buffer> =>
  onDevice(socketPath, async (client) => {
    const chunks: Buffer[] = [];
    for (let offset = 0; offset < lengthBytes; offset += CHUNK_BYTES) {
      chunks.push(await client.read(offset, Math.min(CHUNK_BYTES, lengthBytes - offset)));
    }
    return Buffer.concat(chunks);
  });

/** Runs one of the Debian programs to its end. @returns its standard output. @throws with its complaint. */
export const runTool = async (program: string, args: readonly string[]): Promise<string> => {
  const { path, env } = await debianTool(program);
  const { stdout } = await run(path, [...args], { env, maxBuffer: 64 << 20 });
  return stdout;
};
