// What Node alone makes of blocks over HTTP: takes and digests one that is put, gives one that is asked for. bench/ebs-direct.ts
// starts it in a process of its own, as the yardstick of what the way over the network costs whoever serves it.
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const block = Buffer.alloc(524_288, 1);
const server = createServer((request, response) => {
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-length': block.length }).end(block);
    return;
  }
  const hash = createHash('sha256');
  request.on('data', (piece: Buffer) => hash.update(piece));
  request.on('end', () => response.writeHead(201, { 'x-digest': hash.digest('base64'), 'content-length': 0 }).end());
});
server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.once('disconnect', () => process.exit()); // Whoever started us is gone.
