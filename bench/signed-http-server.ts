// The ceiling of bench/kms.ts, in a process of its own: what the endpoint does with every signed request (signature, parsing,
// serialization) and nothing behind it. Whoever starts it sends `{operation, output}` for the next answers.
import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deriveSigningKey, parseRequest, serializeResponse, SignatureVerifier } from '@holdfast/aws-protocol';

const verifier = new SignatureVerifier({
  now: () => new Date(),
  resolve: ({ accessKeyId, date, region, service }) =>
    Promise.resolve({ signingKey: deriveSigningKey('test', date, region, service), principal: accessKeyId }),
});
let answer: { operation: string; output: unknown } = { operation: '', output: {} };

const bodyOf = (request: IncomingMessage): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => resolve(Buffer.concat(chunks)));
    request.on('error', reject);
  });

const respond = async (request: IncomingMessage) => {
  const body = await bodyOf(request);
  const raw = { method: request.method ?? '', url: request.url ?? '', headers: request.headersDistinct, body };
  await verifier.authenticate(raw);
  const { service, operation } = parseRequest(raw);
  if (operation !== answer.operation) throw new Error(`asked for ${operation}, not for ${answer.operation}`);
  return serializeResponse(service, operation, answer.output, { requestId: randomUUID(), now: new Date() });
};

const server = createServer((request, response) => {
  respond(request).then(
    ({ status, headers, body }) => response.writeHead(status, headers).end(body),
    (error: unknown) => response.writeHead(500).end(String(error)),
  );
}).listen(0, '127.0.0.1', () => process.send?.({ port: (server.address() as AddressInfo).port }));

process.on('message', (next: typeof answer) => {
  answer = next;
  process.send?.({ operation: next.operation });
});
process.once('disconnect', () => process.exit()); // Whoever started us is gone.
