import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { encodeClientFlags, encodeExportRequest, encodeOption, encodeRequest, fuaFlag } from '../client-messages.ts';
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

  /**
   * Connects to an export, the default one (of the empty name) unless another is named.
   * @param where a unix socket's path, or a TCP address.
   * @throws NbdClientError, or the socket's own error
   */
  static async connect(where: string | { host: string; port: number }, exportName = ''): Promise<NbdClient> {
    const socket = typeof where === 'string' ? connect(where) : connect(where.port, where.host);
    await once(socket, 'connect');
    const input = new ByteQueue(socket);
    try {
      const { sizeBytes, flags } = await negotiate(socket, input, exportName);
      return new NbdClient(socket, input, sizeBytes, flags);
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async read(offsetBytes: number, lengthBytes: number): Promise<Buffer> {
    const target = Buffer.allocUnsafe(lengthBytes);
    await this.request(Command.Read, 0, offsetBytes, lengthBytes, null, target);
    return target;
  }

  /** @param options.fua answer only once the data is durable. */
  write(offsetBytes: number, data: Buffer, options: { fua?: boolean } = {}): Promise<void> {
    return this.request(Command.Write, fuaFlag(options.fua), offsetBytes, data.length, data, null);
  }

  /** Resolves once every write that was answered before is durable. */
  flush(): Promise<void> {
    return this.request(Command.Flush, 0, 0, 0, null, null);
  }

  trim(offsetBytes: number, lengthBytes: number, options: { fua?: boolean } = {}): Promise<void> {
    return this.request(Command.Trim, fuaFlag(options.fua), offsetBytes, lengthBytes, null, null);
  }

  /** @param options.mayTrim false: the range must stay allocated. */
  writeZeroes(
    offsetBytes: number,
    lengthBytes: number,
    options: { fua?: boolean; mayTrim?: boolean } = {},
  ): Promise<void> {
    const flags = fuaFlag(options.fua) | (options.mayTrim === false ? CommandFlag.NoHole : 0);
    return this.request(Command.WriteZeroes, flags, offsetBytes, lengthBytes, null, null);
  }

  /** Says goodbye and closes; the server flushes nothing for it. */
  async close(): Promise<void> {
    if (this.broken === null) this.socket.write(encodeRequest({ type: Command.Disconnect, cookie: 0n }));
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
      this.socket.write(encodeRequest({ type: command, flags, cookie, offsetBytes, lengthBytes }));
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

const GREETING_BYTES = 18;
const EXPORT_INFO_BYTES = 12;

const negotiate = async (
  socket: Socket,
  input: ByteQueue,
  exportName: string,
): Promise<{ sizeBytes: number; flags: number }> => {
  const greeting = await input.take(GREETING_BYTES);
  const isNewstyle = greeting.readBigUInt64BE(0) === INIT_MAGIC && greeting.readBigUInt64BE(8) === OPTION_MAGIC;
  if (!isNewstyle || (greeting.readUInt16BE(16) & HandshakeFlag.FixedNewstyle) === 0) {
    throw new NbdClientError('not an NBD server of the fixed newstyle');
  }
  socket.write(encodeClientFlags(HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes));
  socket.write(encodeOption(Option.Go, encodeExportRequest(exportName, [])));
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
