import { createServer } from 'node:net';

const listenOnce = (port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen({ port, host, exclusive: true }, () => {
      const address = server.address();
      const bound = typeof address === 'object' && address !== null ? address.port : port;
      server.close(() => resolve(bound));
    });
  });

/** A TCP port nobody listens on at this moment. Another process may take it before the caller does: be ready to ask again. */
export const freePort = (host = '127.0.0.1'): Promise<number> => listenOnce(0, host);

/** Whether a server could listen on this port now. */
export const isPortFree = async (port: number, host = '127.0.0.1'): Promise<boolean> => {
  try {
    await listenOnce(port, host);
    return true;
  } catch {
    return false;
  }
};
