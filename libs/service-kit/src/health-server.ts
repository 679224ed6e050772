import { once } from 'node:events';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { processMetrics } from './process-metrics.ts';

/** Each part by name; `null`: it works, else what is wrong with it. */
export type Readiness = Readonly<Record<string, string | null>>;

export const isReady = (readiness: Readiness): boolean => Object.values(readiness).every((problem) => problem === null);

const answer = (response: ServerResponse, status: number, type: string, body: string): void => {
  response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' });
  response.end(body);
};

/** Answers /health/live, /health/ready (503 while a part does not work) and /metrics. */
export const startHealthServer = async (
  address: { host: string; port: number },
  ready: () => Promise<Readiness>,
): Promise<Server> => {
  const respond = async (path: string, response: ServerResponse): Promise<void> => {
    if (path === '/health/live') return answer(response, 200, 'application/json', '{"status":"ok"}');
    if (path === '/metrics') {
      const { contentType, text } = await processMetrics();
      return answer(response, 200, contentType, text);
    }
    if (path !== '/health/ready') return answer(response, 404, 'text/plain', 'not found\n');
    const parts = await ready();
    const body = JSON.stringify({ status: isReady(parts) ? 'ok' : 'unavailable', parts });
    answer(response, isReady(parts) ? 200 : 503, 'application/json', body);
  };
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?')[0] ?? '';
    respond(path, response).catch(() => answer(response, 500, 'text/plain', 'failed\n'));
  });
  server.listen(address.port, address.host);
  await once(server, 'listening'); // Rejects on 'error', e.g. when the port is taken.
  return server;
};

export const stopHealthServer = async (server: Server): Promise<void> => {
  const closed = once(server, 'close');
  server.close();
  server.closeAllConnections();
  await closed;
};
