import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Requests } from '@holdfast/messaging';
import { type Clock, type Logger, processMetrics } from '@holdfast/service-kit';
import type { FastifyInstance } from 'fastify';
import { developmentRoutes } from './admin/development.ts';
import { faultRoutes } from './admin/faults.ts';
import { health } from './admin/health.ts';
import type { Answer, AwsAnswers, Client } from './aws/answer.ts';
import { BlockStream } from './aws/block-stream.ts';
import { readBody } from './aws/request-body.ts';
import type { Settings } from './config.ts';
import { createHttpServer } from './http-server.ts';

export interface GatewayParts {
  answers: AwsAnswers;
  requests: Requests;
  clock: Clock;
  logger: Logger;
  settings: Settings;
  /** Development mode only. */
  development?: { connection: Parameters<typeof developmentRoutes>[1] };
}

/** The endpoint: AWS's interface, and health, metrics and development requests under `/_holdfast/`. */
export class GatewayServer {
  private readonly app: FastifyInstance;
  private readonly server: () => Server;

  constructor(private readonly parts: GatewayParts) {
    const { app, server } = createHttpServer((request, response) => void this.serve(request, response));
    this.app = app;
    this.server = server;
    app.get('/_holdfast/health', async (_, reply) => {
      const answer = await health(parts.requests);
      return reply.code(answer.status === 'ok' ? 200 : 503).send(answer);
    });
    app.get('/_holdfast/metrics', async (_, reply) => {
      const { contentType, text } = await processMetrics();
      return reply.type(contentType).send(text);
    });
    if (parts.development) {
      developmentRoutes(app, parts.development.connection, parts.clock);
      faultRoutes(app, parts.requests);
    }
  }

  /** @throws with code EADDRINUSE when the port is taken. */
  async onApplicationBootstrap(): Promise<void> {
    const { host, port } = this.parts.settings;
    await this.app.listen({ host, port });
    this.parts.logger.info({ host, port }, 'listening');
  }

  /** Takes no more connections, answers what has begun, and closes those that are idle. */
  async beforeApplicationShutdown(): Promise<void> {
    const closed = this.app.close();
    this.server().closeIdleConnections();
    await closed;
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const stream = BlockStream.of(request);
      const body = stream ?? (await readBody(request));
      const { method = '', url = '' } = request;
      const head = { method, url, headers: request.headersDistinct };
      const answer = await this.parts.answers.answer(head, body, clientOf(request));
      stream?.release();
      send(response, answer, body === null);
      response.once('close', () => answer.release?.());
    } catch (error) {
      // The connection broke while its request was read: nobody is left to answer.
      this.parts.logger.debug({ err: error }, 'a connection ended early');
      response.destroy();
    }
  }
}

const clientOf = (request: IncomingMessage): Client => {
  const { traceparent } = request.headers;
  return {
    ip: request.socket.remoteAddress ?? '',
    userAgent: request.headers['user-agent'] ?? '',
    ...(typeof traceparent === 'string' ? { traceparent } : {}),
  };
};

const send = (response: ServerResponse, { status, headers, body }: Answer, endConnection: boolean) => {
  // What is left of a body that is too long is not read, so the connection can't be used again.
  response.writeHead(status, endConnection ? { ...headers, connection: 'close' } : headers);
  response.end(body);
};
