import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readInto } from './socket.ts';
import type { ChunkOwner } from './transmission.ts';

const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
let client: Socket;
let accepted: Socket;

beforeEach(async () => {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connection = once(server, 'connection');
  client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  [accepted] = (await connection) as [Socket];
});
afterEach(() => {
  client.destroy();
  server.close();
});

const until = async (holds: () => boolean): Promise<void> => {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
};

describe.each([
  ['a socket whose handle can be moved', () => undefined],
  [
    'a socket whose handle can not be moved',
    (socket: Socket) => {
      const { _handle } = socket as unknown as { _handle: object };
      Object.defineProperty(_handle, 'useUserBuffer', { value: undefined });
    },
  ],
])('%s', (_, prepare) => {
  it('delivers every byte, stops when told, and goes on when resumed', async () => {
    prepare(accepted);
    const received: Buffer[] = [];
    let isOpen = true;
    let length = 0;
    const socket = readInto(accepted, (chunk) => {
      received.push(Buffer.from(chunk));
      length += chunk.length;
      return isOpen;
    });
    const sent = Buffer.from(Array.from({ length: 3_000_000 }, (__, i) => (i * 31) % 251));
    isOpen = false;
    client.end(sent);
    await until(() => length > 0);
    const stoppedAt = length;
    await new Promise((resolve) => setTimeout(resolve, 30));
    expect(length).toBe(stoppedAt);
    isOpen = true;
    const ended = once(socket, 'end');
    socket.resume();
    await ended;
    expect(Buffer.concat(received).equals(sent)).toBe(true);
    socket.destroy();
  });

  it('can answer', async () => {
    prepare(accepted);
    const socket = readInto(accepted, (chunk) => socket.write(Buffer.from(chunk)));
    client.write('hello');
    const [echo] = (await once(client, 'data')) as [Buffer];
    expect(echo.toString()).toBe('hello');
    socket.destroy();
    await once(client, 'close');
  });
});

it('a chunk that is retained is not overwritten by the next', async () => {
  const retained: { chunk: Buffer; copy: Buffer; owner: ChunkOwner }[] = [];
  const socket = readInto(accepted, (chunk, owner) => {
    owner!.retain();
    retained.push({ chunk, copy: Buffer.from(chunk), owner: owner! });
    return true;
  });
  for (let i = 0; i < 6; i += 1) {
    client.write(Buffer.alloc(1000, i));
    await until(() => retained.length > i);
  }
  for (const { chunk, copy } of retained) expect(chunk.equals(copy)).toBe(true);
  for (const { owner } of retained) owner.release();
  const memory = new Set(retained.map(({ chunk }) => chunk.buffer));
  for (const index of [6, 7]) {
    client.write('again');
    await until(() => retained.length > index);
  }
  expect(memory.has(retained[7]!.chunk.buffer)).toBe(true); // Released memory is used again.
  socket.destroy();
});
