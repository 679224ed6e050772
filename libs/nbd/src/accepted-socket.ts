import { Socket } from 'node:net';

/** As `onread` of `net.connect`: `buffer` is asked after each read for where the next one goes. */
export interface OnRead {
  readonly buffer: () => Uint8Array;
  /** @returns false to stop reading; `socket.resume()` goes on. */
  readonly callback: (bytesRead: number, bytes: Uint8Array) => boolean;
}

interface StreamHandle {
  useUserBuffer?: unknown;
}

/**
 * Has an accepted socket read into buffers of our own. Node offers this (`onread`) for sockets one connects, not for those
 * one accepts; so the handle is moved to a new socket.
 * @param accepted from a server with `pauseOnConnect`.
 * @returns the socket to use from here on; null where it is not possible, and `accepted` is as it was.
 */
export const acceptInto = (accepted: Socket, onread: OnRead): Socket | null => {
  const owner = accepted as unknown as { _handle: StreamHandle | null };
  const handle = owner._handle;
  if (handle === null || typeof handle.useUserBuffer !== 'function') return null;
  owner._handle = null;
  return new Socket({ handle, onread, allowHalfOpen: true } as ConstructorParameters<typeof Socket>[0]);
};
