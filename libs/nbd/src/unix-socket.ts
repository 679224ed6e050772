import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, lstat, rename, rm } from 'node:fs/promises';
import { connect, type Server } from 'node:net';
import { dirname, join } from 'node:path';

/** The kernel's limit for a socket's path is 108 bytes with its NUL (104 on macOS); a longer one is cut without a word. */
const MAX_SOCKET_PATH_BYTES = process.platform === 'linux' ? 107 : 103;

/**
 * Listens on a unix socket that only this user can open. A file that a dead server left is replaced; the path always
 * shows either no socket or one that is ready, with mode 0600.
 * @throws Error when someone listens there, when the path holds something that is no socket, or is too long.
 */
export const listenOnUnixSocket = async (server: Server, path: string): Promise<void> => {
  // Made under another name, and given its own when its mode is right.
  const hidden = join(dirname(path), `.${randomBytes(4).toString('hex')}`);
  const longest = Math.max(Buffer.byteLength(path), Buffer.byteLength(hidden));
  if (longest > MAX_SOCKET_PATH_BYTES) {
    throw new Error(`the socket path ${path} needs ${longest} bytes; the system allows ${MAX_SOCKET_PATH_BYTES}`);
  }
  await assertNotInUse(path);
  server.listen(hidden);
  await once(server, 'listening');
  try {
    await chmod(hidden, 0o600);
    await rename(hidden, path);
  } catch (error) {
    server.close();
    await rm(hidden, { force: true });
    throw error;
  }
};

const assertNotInUse = async (path: string): Promise<void> => {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
  if (found === null) return;
  if (!found.isSocket()) throw new Error(`${path} exists and is not a socket`);
  const probe = connect(path);
  try {
    await once(probe, 'connect');
  } catch {
    return; // No one answers.
  } finally {
    probe.destroy();
  }
  throw new Error(`another server listens on ${path}`);
};
