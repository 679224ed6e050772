import type { IncomingMessage } from 'node:http';

/** A block of EBS direct is 512 KiB; no other request comes near. */
export const MAX_BODY_BYTES = 1_048_576;

/** The whole body, or null when it is longer than MAX_BODY_BYTES. What is too long is not kept. */
export const readBody = async (request: IncomingMessage): Promise<Buffer | null> => {
  if (Number(request.headers['content-length'] ?? 0) > MAX_BODY_BYTES) return null;
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    lengthBytes += chunk.length;
    if (lengthBytes > MAX_BODY_BYTES) return null;
    chunks.push(chunk);
  }
  return chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks, lengthBytes);
};
