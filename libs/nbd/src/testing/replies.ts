import { Command, ReplyFlag, ReplyType, SIMPLE_REPLY_MAGIC, STRUCTURED_REPLY_MAGIC } from '../wire.ts';

/** A reply put together from its chunks, as a client sees it. */
export interface ParsedReply {
  readonly cookie: bigint;
  errno: number;
  /** What a successful READ returned. */
  data: Buffer | null;
  /** Of a READ: how its chunks were stated, in order. Of others: empty. */
  chunks: ('data' | 'hole')[];
  /** Of a BLOCK_STATUS: [length, flags] pairs. */
  extents: [number, number][];
}

export interface AskedRequest {
  readonly type: number;
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/**
 * Parses everything a server sent in the transmission phase; asserts what the protocol demands of it.
 * @param asked the requests by cookie.
 */
export const parseReplies = (bytes: Buffer, asked: ReadonlyMap<bigint, AskedRequest>): ParsedReply[] => {
  const complete: ParsedReply[] = [];
  const open = new Map<bigint, { reply: ParsedReply; covered: number }>();
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new Error('the server sent half a reply');
    at += length;
    return bytes.subarray(at - length, at);
  };
  while (at < bytes.length) {
    const magic = take(4).readUInt32BE(0);
    if (magic === SIMPLE_REPLY_MAGIC) {
      const errno = take(4).readUInt32BE(0);
      const cookie = take(8).readBigUInt64BE(0);
      const request = requestOf(asked, cookie);
      const data = request.type === Command.Read && errno === 0 ? Buffer.from(take(request.lengthBytes)) : null;
      complete.push({ cookie, errno, data, chunks: [], extents: [] });
      continue;
    }
    if (magic !== STRUCTURED_REPLY_MAGIC) throw new Error(`wrong reply magic ${magic.toString(16)}`);
    const flags = take(2).readUInt16BE(0);
    const type = take(2).readUInt16BE(0);
    const cookie = take(8).readBigUInt64BE(0);
    const payload = take(take(4).readUInt32BE(0));
    const request = requestOf(asked, cookie);
    const entry = open.get(cookie) ?? {
      reply: { cookie, errno: 0, data: null, chunks: [], extents: [] } as ParsedReply,
      covered: 0,
    };
    open.set(cookie, entry);
    entry.covered += readChunk(entry.reply, type, payload, request);
    if ((flags & ReplyFlag.Done) === 0) continue;
    open.delete(cookie);
    if (request.type === Command.Read && entry.reply.errno === 0 && entry.covered !== request.lengthBytes) {
      throw new Error('the chunks do not cover the read');
    }
    complete.push(entry.reply);
  }
  if (open.size > 0) throw new Error('a reply was not completed');
  return complete;
};

const requestOf = (asked: ReadonlyMap<bigint, AskedRequest>, cookie: bigint): AskedRequest => {
  const request = asked.get(cookie);
  if (request === undefined) throw new Error(`a reply to nothing: ${cookie}`);
  return request;
};

const readChunk = (reply: ParsedReply, type: number, payload: Buffer, request: AskedRequest): number => {
  if (type === ReplyType.OffsetData || type === ReplyType.OffsetHole) {
    const start = Number(payload.readBigUInt64BE(0)) - request.offsetBytes;
    const isHole = type === ReplyType.OffsetHole;
    const data = isHole ? Buffer.alloc(payload.readUInt32BE(8)) : payload.subarray(8);
    if (start < 0 || start + data.length > request.lengthBytes) throw new Error('a chunk outside the read');
    reply.data ??= Buffer.alloc(request.lengthBytes, 0xaa);
    data.copy(reply.data, start);
    reply.chunks.push(isHole ? 'hole' : 'data');
    return data.length;
  }
  if (type === ReplyType.BlockStatus) {
    for (let at = 4; at < payload.length; at += 8) {
      reply.extents.push([payload.readUInt32BE(at), payload.readUInt32BE(at + 4)]);
    }
  } else if (type === ReplyType.Error) {
    reply.errno = payload.readUInt32BE(0);
    reply.data = null;
  } else {
    throw new Error(`unknown chunk type ${type}`);
  }
  return 0;
};
