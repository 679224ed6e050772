import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeNow } from './write-now.ts';

let folder: string;
let ours: Socket;
let peer: Socket;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'nbd-write-'));
  const server = createServer().listen(join(folder, 's'));
  await once(server, 'listening');
  peer = connect(join(folder, 's')).pause();
  [ours] = (await once(server, 'connection')) as [Socket];
  for (const socket of [ours, peer]) socket.on('error', () => undefined);
  server.close();
});
afterEach(() => {
  for (const socket of [ours, peer]) socket.destroy();
  rmSync(folder, { recursive: true });
});

describe('writing past the stream', () => {
  it('takes what there is room for, and nothing while the stream has something to send, so that all stays in order', async () => {
    const pieces = Array.from({ length: 40 }, () => randomBytes(50_000));
    let direct = 0;
    for (const piece of pieces) {
      const written = writeNow(ours, piece);
      direct += written;
      if (written < piece.length) ours.write(piece.subarray(written));
    }
    const sent = Buffer.concat(pieces);
    expect(direct).toBeGreaterThan(0);
    expect(direct).toBeLessThan(sent.length);
    const received: Buffer[] = [];
    for await (const chunk of peer) {
      received.push(chunk as Buffer);
      if (received.reduce((sum, { length }) => sum + length, 0) === sent.length) break;
    }
    expect(Buffer.concat(received).equals(sent)).toBe(true);
  });

  it('writes nothing to a peer that is gone, nor to a socket that was destroyed', async () => {
    const closed = once(ours, 'close');
    peer.destroy();
    ours.resume();
    await closed;
    expect(writeNow(ours, Buffer.from('late'))).toBe(0);
  });
});
