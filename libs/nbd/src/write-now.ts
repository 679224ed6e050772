import { writeSync } from 'node:fs';
import type { Socket } from 'node:net';

interface Handle {
  /** Negative when there is none, and from the moment that it is closed. */
  readonly fd?: number;
}

/**
 * Hands the kernel what it takes at once, past the socket's stream: with a request for each write, a callback and a tick that
 * costs as much as the request it answers. Only where nothing waits in the stream, so that all stays in order.
 * @returns how many bytes are on their way; the rest, or what went wrong, is for `socket.write`.
 */
export const writeNow = (socket: Socket, bytes: Buffer): number => {
  if (socket.writableLength > 0 || socket.destroyed) return 0;
  const fd = (socket as unknown as { _handle?: Handle | null })._handle?.fd ?? -1;
  if (fd < 0) return 0;
  try {
    return writeSync(fd, bytes);
  } catch {
    return 0; // No room, or no peer any more: the stream finds out by itself, and does what is due.
  }
};
