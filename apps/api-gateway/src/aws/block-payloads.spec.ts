import type { IncomingMessage } from 'node:http';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { once } from 'node:events';
import type { RequestContext } from '@holdfast/contracts';
import { ServiceUnavailable, type Requests } from '@holdfast/messaging';
import { testContext } from '@holdfast/messaging/testing';
import { seal } from '@holdfast/sealing';
import { systemClock } from '@holdfast/service-kit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlockPayloads } from './block-payloads.ts';
import { BlockStream } from './block-stream.ts';

const BLOCK = 524_288;
const CHECKSUM = Buffer.alloc(32).toString('base64');

/** A host that takes what comes and never answers. */
let host: Server;
let sockets: Socket[];
/** How often `snapshots` was asked for leave. */
let asked: number;
let payloads: BlockPayloads;

beforeEach(async () => {
  sockets = [];
  asked = 0;
  host = createServer((socket) => void sockets.push(socket.on('error', () => undefined).resume())).listen(
    0,
    '127.0.0.1',
  );
  await once(host, 'listening');
  const endpoint = `tcp://127.0.0.1:${String((host.address() as AddressInfo).port)}`;
  const request = async (_service: string, _action: string, _input: unknown, context: RequestContext) => {
    const sessionId = `s-${String(++asked)}`;
    const sealedTicketKey = await seal(context.recipientPublicKey ?? '', Buffer.alloc(32, 1), sessionId);
    return { sessionId, endpoint, sealedTicketKey, volumeSizeGiB: 1, lifeMs: 60_000 };
  };
  payloads = await BlockPayloads.create({ request } as unknown as Requests, systemClock);
});

afterEach(() => {
  payloads.onApplicationShutdown();
  for (const socket of sockets) socket.destroy();
  host.close();
});

const put = (remainingMs: number) => {
  const headers = { 'content-length': String(BLOCK), 'x-amz-checksum': CHECKSUM };
  const body = Object.assign(new PassThrough(), { method: 'PUT', url: '/snapshots/snap-1/blocks/0', headers });
  const stream = BlockStream.of(body as unknown as IncomingMessage);
  const input = { SnapshotId: 'snap-1', BlockIndex: 0, DataLength: BLOCK, Checksum: CHECKSUM };
  const answer = payloads.run(
    { service: 'ebs', operation: 'PutSnapshotBlock', input },
    testContext(remainingMs),
    stream,
  );
  return { body, answer };
};

describe('a block that does not get through', () => {
  it('since its client does not send all of it in time', async () => {
    const { body, answer } = put(300);
    body.write(Buffer.alloc(1000));
    await expect(answer).rejects.toMatchObject({
      code: 'ValidationException',
      members: { Reason: 'WRITE_REQUEST_TIMEOUT' },
    });
    expect(asked).toBe(1);
  });

  it.each([
    ['before its host is asked for', () => asked > 0],
    ['while it is passed on', () => sockets.length > 0],
  ])('since its client goes away %s: nobody is asked again', async (_, isThen) => {
    const { body, answer } = put(30_000);
    body.write(Buffer.alloc(1000));
    while (!isThen()) await new Promise(setImmediate);
    body.destroy();
    await expect(answer).rejects.toMatchObject({ message: 'Failed to read block data' });
    expect(asked).toBe(1);
  });

  it('since its host ends, twice, which is not its client’s fault', async () => {
    host.on('connection', (socket) => {
      let bytes = 0;
      socket.on('data', (piece) => {
        bytes += piece.length;
        if (bytes >= BLOCK) socket.destroy();
      });
    });
    const { body, answer } = put(30_000);
    body.end(Buffer.alloc(BLOCK));
    await expect(answer).rejects.toBeInstanceOf(ServiceUnavailable);
    expect(asked).toBe(2);
  });
});
