import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { ByteQueue } from './byte-queue.ts';
import {
  Command,
  CommandFlag,
  HandshakeFlag,
  Info,
  INIT_MAGIC,
  MAX_PAYLOAD_BYTES,
  Option,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
  OptionReply,
  REQUEST_BYTES,
  REQUEST_MAGIC,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
} from '../wire.ts';

/** The server answered with an error number, or with something that is not NBD. */
export class NbdClientError extends Error {
  override readonly name = 'NbdClientError';
  constructor(
    message: string,
    /** The protocol's error number, where the server sent one. */
    readonly errno?: number,
  ) {
    super(message);
  }
}

interface Pending {
  /** Where a read's data goes. */
  target: Buffer | null;
  resolve: () => void;
  reject: (error: Error) => void;
}

/**
 * A client for one export, as small as the protocol allows: simple replies, many requests in flight, answered in any order.
 * Offsets and lengths are in bytes; a read or write carries at most 32 MiB.
 */
export class NbdClient {
  private readonly pending = new Map<bigint, Pending>();
  private nextCookie = 1n;
  private broken: Error | null = null;

  private constructor(
    private readonly socket: Socket,
    private readonly input: ByteQueue,
    /** Size of the export. */
    readonly sizeBytes: number,
    /** Transmission flags, as in `wire.ts`. */
    readonly flags: number,
  ) {
    void this.readReplies();
  }

  /** Connects to the default export of a server on a unix socket. @throws NbdClientError, or the socket's own error */
  static async connect(socketPath: string): Promise<NbdClient> {
    const socket = connect(socketPath);
    await once(socket, 'connect');
    const input = new ByteQueue(socket);
    const { sizeBytes, flags } = await negotiate(socket, input);
    return new NbdClient(socket, input, sizeBytes, flags);
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Buffer> {
    const target = Buffer.allocUnsafe(lengthBytes);
    await this.request(Command.Read, 0, offsetBytes, lengthBytes, null, target);
    return target;
  }

  /** @param options.fua answer only once the data is durable. */
  write(offsetBytes: number, data: Buffer, options: { fua?: boolean } = {}): Promise<void> {
    return this.request(Command.Write, options.fua ? CommandFlag.Fua : 0, offsetBytes, data.length, data, null);
  }

  /** Resolves once every write that was answered before is durable. */
  flush(): Promise<void> {
    return this.request(Command.Flush, 0, 0, 0, null, null);
  }

  trim(offsetBytes: number, lengthBytes: number): Promise<void> {
    return this.request(Command.Trim, 0, offsetBytes, lengthBytes, null, null);
  }

  writeZeroes(offsetBytes: number, lengthBytes: number): Promise<void> {
    return this.request(Command.WriteZeroes, 0, offsetBytes, lengthBytes, null, null);
  }

  /** Says goodbye and closes; the server flushes nothing for it. */
  async close(): Promise<void> {
    if (this.broken === null) this.socket.write(requestHeader(Command.Disconnect, 0, 0n, 0, 0));
    this.fail(new NbdClientError('the client was closed'));
    this.socket.end();
    if (!this.socket.destroyed) await once(this.socket, 'close');
  }

  private request(
    command: number,
    flags: number,
    offsetBytes: number,
    lengthBytes: number,
    data: Buffer | null,
    target: Buffer | null,
  ): Promise<void> {
    if (this.broken) return Promise.reject(this.broken);
    if ((data ?? target) && lengthBytes > MAX_PAYLOAD_BYTES) {
      return Promise.reject(new RangeError(`${String(lengthBytes)} bytes are more than one request carries`));
    }
    const cookie = this.nextCookie++;
    return new Promise((resolve, reject) => {
      this.pending.set(cookie, { target, resolve, reject });
      this.socket.cork();
      this.socket.write(requestHeader(command, flags, cookie, offsetBytes, lengthBytes));
      if (data) this.socket.write(data);
      this.socket.uncork();
    });
  }

  private async readReplies(): Promise<void> {
    try {
      for (;;) await this.readReply();
    } catch (error) {
      this.fail(error instanceof Error ? error : new NbdClientError(String(error)));
      this.socket.destroy();
    }
  }

  private async readReply(): Promise<void> {
    const header = await this.input.take(SIMPLE_REPLY_BYTES);
    const [magic, errno, cookie] = [header.readUInt32BE(0), header.readUInt32BE(4), header.readBigUInt64BE(8)];
    const request = this.pending.get(cookie);
    if (magic !== SIMPLE_REPLY_MAGIC || request === undefined) throw new NbdClientError('not a reply to any request');
    if (errno === 0 && request.target) (await this.input.take(request.target.length)).copy(request.target);
    this.pending.delete(cookie);
    if (errno === 0) request.resolve();
    else request.reject(new NbdClientError(`the server answered errno ${String(errno)}`, errno));
  }

  private fail(error: Error): void {
    this.broken ??= error;
    for (const { reject } of this.pending.values()) reject(error);
    this.pending.clear();
  }
}

const requestHeader = (
  command: number,
  flags: number,
  cookie: bigint,
  offsetBytes: number,
  lengthBytes: number,
): Buffer => {
  const header = Buffer.alloc(REQUEST_BYTES);
  header.writeUInt32BE(REQUEST_MAGIC, 0);
  header.writeUInt16BE(flags, 4);
  header.writeUInt16BE(command, 6);
  header.writeBigUInt64BE(cookie, 8);
  header.writeBigUInt64BE(BigInt(offsetBytes), 16);
  header.writeUInt32BE(lengthBytes, 24);
  return header;
};

const GREETING_BYTES = 18;
/** Export name length, no name, no information requests. */
const GO_DEFAULT_EXPORT = Buffer.alloc(6);
const EXPORT_INFO_BYTES = 12;

const negotiate = async (socket: Socket, input: ByteQueue): Promise<{ sizeBytes: number; flags: number }> => {
  const greeting = await input.take(GREETING_BYTES);
  const isNewstyle = greeting.readBigUInt64BE(0) === INIT_MAGIC && greeting.readBigUInt64BE(8) === OPTION_MAGIC;
  if (!isNewstyle || (greeting.readUInt16BE(16) & HandshakeFlag.FixedNewstyle) === 0) {
    throw new NbdClientError('not an NBD server of the fixed newstyle');
  }
  const head = Buffer.alloc(20);
  head.writeUInt32BE(HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes, 0);
  head.writeBigUInt64BE(OPTION_MAGIC, 4);
  head.writeUInt32BE(Option.Go, 12);
  head.writeUInt32BE(GO_DEFAULT_EXPORT.length, 16);
  socket.write(Buffer.concat([head, GO_DEFAULT_EXPORT]));
  let found: { sizeBytes: number; flags: number } | null = null;
  for (;;) {
    const reply = await input.take(OPTION_REPLY_HEADER_BYTES);
    if (reply.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC) throw new NbdClientError('not a reply to an option');
    const [type, lengthBytes] = [reply.readUInt32BE(12), reply.readUInt32BE(16)];
    const data = await input.take(lengthBytes);
    if (type === OptionReply.Ack && found) return found;
    if (type !== OptionReply.Info) throw new NbdClientError(`the server refuses the export (${type.toString(16)})`);
    if (lengthBytes === EXPORT_INFO_BYTES && data.readUInt16BE(0) === Info.Export) {
      found = { sizeBytes: Number(data.readBigUInt64BE(2)), flags: data.readUInt16BE(10) };
    }
  }
};
