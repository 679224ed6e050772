import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BlockBuffers } from './block-buffers.ts';
import { BlockWireClient, type BlockSource } from './client.ts';
import { BLOCK_BYTES, requestHead } from './frames.ts';
import { type BlockHandler, BlockWireServer } from './server.ts';

let folder: string;
let server: BlockWireServer<string>;
let client: BlockWireClient;
const kept = new Map<string, { block: Buffer; sha256: Buffer }>();
const refused = (code: string) => ({ refused: { code, message: 'no' } });
const handler: BlockHandler<string> = {
  admit: (ticket) => (ticket === 'bad' ? refused('TicketRefused') : { admitted: ticket }),
  put: (ticket, block, sha256) => {
    kept.set(ticket, { block: Buffer.from(block), sha256 });
    return Promise.resolve({});
  },
  get: (ticket, target) => {
    const found = kept.get(ticket);
    if (found === undefined) return Promise.resolve(refused('NoSuchBlock'));
    found.block.copy(target);
    return Promise.resolve({ checksum: found.sha256.toString('base64') });
  },
};
const path = () => join(folder, 's');
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hf-wire-'));
  server = await BlockWireServer.listen({ listen: { path: path() }, handler, maxConnections: 64, idleMs: 10_000 });
  client = new BlockWireClient({ maxConnections: 4, idleMs: 5_000 });
});
afterEach(async () => {
  client.destroy();
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

const inPieces = (bytes: Buffer, size: number): BlockSource => ({
  follow: (onPiece) => {
    for (let at = 0; at < bytes.length; at += size) onPiece(bytes.subarray(at, at + size));
    return () => undefined;
  },
});
const send = (ticket: string, source: BlockSource | null = null) =>
  client.send(`unix:${path()}`, ticket, source, Date.now() + 5000);

describe('blocks between a gateway and a host', () => {
  it.each([1000, 65_536, BLOCK_BYTES])('arrive whole, in pieces of %i bytes', async (size) => {
    const bytes = randomBytes(BLOCK_BYTES);
    expect(await send('a', inPieces(bytes, size))).toEqual({ block: null });
    expect(kept.get('a')?.block.equals(bytes)).toBe(true);
    expect(kept.get('a')?.sha256).toEqual(createHash('sha256').update(bytes).digest());
    const { block, checksum } = await send('a');
    expect(block?.equals(bytes)).toBe(true);
    expect(checksum).toBe(createHash('sha256').update(bytes).digest('base64'));
  });

  it('go side by side, more than there are connections', async () => {
    const all = Array.from({ length: 40 }, () => randomBytes(BLOCK_BYTES));
    await Promise.all(all.map((bytes, at) => send(`b${String(at)}`, inPieces(bytes, 65_536))));
    const got = await Promise.all(
      all.map(async (bytes, at) => {
        const { block } = await send(`b${String(at)}`);
        const isSame = block?.equals(bytes);
        if (block) client.giveBack(block);
        return isSame;
      }),
    );
    expect(got.every((isSame) => isSame)).toBe(true);
  });

  it('are refused before they are looked at, and the connection goes on', async () => {
    const bytes = randomBytes(BLOCK_BYTES);
    expect(await send('bad', inPieces(bytes, 65_536))).toMatchObject({
      block: null,
      refused: { code: 'TicketRefused' },
    });
    expect(await send('none')).toMatchObject({ block: null, refused: { code: 'NoSuchBlock' } });
    expect(await send('c', inPieces(bytes, 65_536))).toEqual({ block: null });
  });

  it('end with their client, and with a host that does not answer', async () => {
    const gone: BlockSource = {
      follow: (onPiece, onEnd) => {
        onPiece(randomBytes(1000));
        setImmediate(() => onEnd(new Error('gone')));
        return () => undefined;
      },
    };
    await expect(send('d', gone)).rejects.toThrow('gone');
    expect(kept.has('d')).toBe(false);
    const silent: BlockSource = { follow: () => () => undefined };
    await expect(client.send(`unix:${path()}`, 'e', silent, Date.now() + 50)).rejects.toThrow('no answer in time');
    await expect(client.send(`unix:${path()}.not`, 'e', null, Date.now() + 5000)).rejects.toThrow('ENOENT');
  });

  it.each<[string, () => Buffer]>([
    ['another protocol', () => Buffer.from('PUT /blocks HTTP/1.1\r\n\r\n')],
    ['a ticket too long', () => requestHead('x'.repeat(2000), 0)],
    ['more than a request', () => Buffer.concat([requestHead('none', 0), Buffer.of(1)])],
    ['a block too long', () => { const head = requestHead('t', 0); head.writeUInt32BE(BLOCK_BYTES + 1, 8); return head; }],
  ])('%s ends the connection and nothing else', async (_, bytes) => {
    const socket = connect(path());
    socket.resume().write(bytes());
    await once(socket, 'close');
    expect(await send('f', inPieces(randomBytes(BLOCK_BYTES), 65_536))).toEqual({ block: null });
  }); // prettier-ignore

  it('of another length than a block are refused', async () => {
    const socket = connect(path());
    socket.write(Buffer.concat([requestHead('g', 3), Buffer.of(1, 2, 3)]));
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toContain('WrongLength');
    socket.destroy();
  });
});

describe('memory for blocks', () => {
  it('is used again, and aligned memory is not displaced by other memory', () => {
    const buffers = new BlockBuffers(2, { aligned: true });
    const [first, second, third] = [buffers.take(), buffers.take(), buffers.take()];
    expect([first, second, third].map(({ length }) => length)).toEqual([BLOCK_BYTES, BLOCK_BYTES, BLOCK_BYTES]);
    expect([first, second].map(({ byteOffset }) => byteOffset % 4096)).toEqual([0, 0]);
    for (const buffer of [third, first, second]) buffers.giveBack(buffer);
    const again = [buffers.take(), buffers.take()];
    expect(new Set(again)).toEqual(new Set([first, second]));
  });
});
