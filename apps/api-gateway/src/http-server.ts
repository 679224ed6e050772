import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import Fastify, { type FastifyInstance } from 'fastify';

export type AwsListener = (request: IncomingMessage, response: ServerResponse) => void;

const ADMIN_PREFIX = '/_holdfast/';

/** Longer than the SDKs keep idle connections, so that it is never us who closes one that is about to be used. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const MAX_HEADER_BYTES = 65_536;

/**
 * One port for both: Fastify routes `/_holdfast/`, and AWS's requests are taken in front of it, with their bodies as they
 * came, which signatures need.
 */
export const createHttpServer = (aws: AwsListener): { app: FastifyInstance; server: () => Server } => {
  let server: Server | undefined;
  const app = Fastify({
    bodyLimit: 65_536,
    serverFactory: (admin) => {
      server = createServer({ maxHeaderSize: MAX_HEADER_BYTES }, (request, response) => {
        if (request.url?.startsWith(ADMIN_PREFIX)) admin(request, response);
        else aws(request, response);
      });
      server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
      server.headersTimeout = HEADERS_TIMEOUT_MS;
      server.requestTimeout = REQUEST_TIMEOUT_MS;
      return server;
    },
  });
  return {
    app,
    server: () => {
      if (server === undefined) throw new Error('Fastify made no server');
      return server;
    },
  };
};
