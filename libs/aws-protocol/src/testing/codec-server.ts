import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { AwsError } from '@holdfast/contracts';
import {
  deriveSigningKey,
  parseRequest,
  serializeError,
  serializeResponse,
  serviceOf,
  SignatureVerifier,
  type Authenticated,
  type ParsedRequest,
  type RawRequest,
  type RawResponse,
} from '../index.ts';

export interface Answer {
  readonly output: unknown;
  readonly payload?: Buffer;
}
export type Handler = (request: ParsedRequest, caller: Authenticated<string>) => Answer;

/** The one access key that the server knows. */
export const ACCESS_KEY = { accessKeyId: '123456789012', secretAccessKey: 'test' };

const read = async (request: IncomingMessage): Promise<RawRequest> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const { method = '', url = '', headersDistinct: headers } = request;
  return { method, url, headers, body: Buffer.concat(chunks) };
};

/** A server made of nothing but this library: what every protocol test with a real client talks to. */
export const startCodecServer = async (handle: Handler, now: () => Date = () => new Date()) => {
  const verifier = new SignatureVerifier<string>({
    now,
    resolve: ({ accessKeyId, date, region, service }) =>
      Promise.resolve(
        accessKeyId === ACCESS_KEY.accessKeyId
          ? {
              signingKey: deriveSigningKey(ACCESS_KEY.secretAccessKey, date, region, service),
              principal: accessKeyId,
            }
          : null,
      ),
  });
  const answer = async (raw: RawRequest): Promise<RawResponse> => {
    const context = { requestId: 'c0ffee00-0000-4000-8000-000000000001', now: now() };
    try {
      const caller = await verifier.authenticate(raw);
      const request = parseRequest(raw);
      const { output, payload } = handle(request, caller);
      return serializeResponse(request.service, request.operation, output, { ...context, payload });
    } catch (error) {
      const shape = error instanceof AwsError ? error : { code: 'InternalError', message: String(error) };
      return serializeError(serviceOf(raw), shape, context);
    }
  };
  const server = createServer((request, response) => {
    void read(request)
      .then(answer)
      .then(({ status, headers, body }) => {
        response.writeHead(status, headers).end(body);
      });
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    endpoint: `http://127.0.0.1:${String(port)}`,
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => {
          resolve();
        });
        server.closeAllConnections();
      }),
  };
};
