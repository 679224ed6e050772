import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { debianTool } from '../../../tools/testing/debian-tools.mjs';

const run = promisify(execFile);
const uri = (socketPath: string) => `nbd+unix:///?socket=${socketPath}`;

/** Writes to the start of an attached volume with libnbd's own client, and flushes. */
export const writeDevice = async (socketPath: string, data: Buffer): Promise<void> => {
  const { path, env } = await debianTool('nbdcopy');
  const child = spawn(path, ['--flush', '-', uri(socketPath)], { env, stdio: ['pipe', 'ignore', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  child.stdin.end(data);
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0) throw new Error(`nbdcopy ended with ${String(code)}: ${complaint}`);
};

/** Reads the first bytes of an attached volume with libnbd's own client. */
export const readDevice = async (socketPath: string, lengthBytes: number): Promise<Buffer> => {
  const { path, env } = await debianTool('nbdcopy');
  const child = spawn(path, [uri(socketPath), '-'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  const exit = once(child, 'exit');
  const chunks: Buffer[] = [];
  let received = 0;
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    received += chunk.length;
    if (received >= lengthBytes) break; // Closes the pipe, which ends the client.
  }
  await exit;
  if (received < lengthBytes) throw new Error(`nbdcopy gave ${String(received)} bytes: ${complaint}`);
  return Buffer.concat(chunks).subarray(0, lengthBytes);
};

/** Paths of the files below `folder` that hold `text` as bytes anywhere. */
export const filesContaining = async (folder: string, text: string): Promise<string[]> => {
  try {
    const { stdout } = await run('grep', [
      '--recursive',
      '--files-with-matches',
      '--fixed-strings',
      '--text',
      text,
      folder,
    ]);
    return stdout.trim().split('\n');
  } catch (error) {
    if ((error as { code?: unknown }).code === 1) return []; // grep's way to say: nowhere.
    throw error;
  }
};
