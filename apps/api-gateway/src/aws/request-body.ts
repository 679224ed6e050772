import type { IncomingMessage } from 'node:http';

/** A block of EBS direct is 512 KiB; no other request comes near. */
export const MAX_BODY_BYTES = 1_048_576;

/**
 * The whole body, or null when it is longer than MAX_BODY_BYTES. What is too long is not kept. By the stream's own events: an
 * iterator over it costs as much as all else that is done to read a small request.
 * @throws when the connection ends before the body does.
 */
export const readBody = (request: IncomingMessage): Promise<Buffer | null> => {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return Promise.resolve(null);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let lengthBytes = 0;
    request.on('data', (chunk: Buffer) => {
      lengthBytes += chunk.length;
      if (lengthBytes <= MAX_BODY_BYTES) chunks.push(chunk);
      else {
        request.pause();
        chunks.length = 0;
        resolve(null);
      }
    });
    request.on('end', () => resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks)));
    request.on('error', reject);
    request.on('close', () => {
      // An error costs its stack trace, so none is made of a request that came as a whole.
      if (!request.readableEnded) reject(new Error('the connection ended before its request did'));
    });
  });
};
