import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { encodeClientFlags, encodeExportRequest, encodeOption, encodeRequest, fuaFlag } from './client-messages.ts';
import { NbdProtocolError } from './export-backend.ts';
import {
  Command,
  CommandFlag,
  HandshakeFlag,
  Info,
  INIT_MAGIC,
  MAX_PAYLOAD_BYTES,
  NbdErrno,
  Option,
  OPTION_MAGIC,
  OPTION_REPLY_HEADER_BYTES,
  OPTION_REPLY_MAGIC,
  OptionReply,
  SIMPLE_REPLY_BYTES,
  SIMPLE_REPLY_MAGIC,
  TransmissionFlag,
} from './wire.ts';

export interface NbdClientOptions {
  readonly connect: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  /** Default: the default export, whose name is empty. */
  readonly exportName?: string;
}

/** The server answered a request with an error number. */
export class NbdRequestError extends Error {
  override readonly name = 'NbdRequestError';
  /** Name of the error number, as ENOSPC; or its digits when the protocol has no such number. */
  readonly code: string;

  constructor(errno: number) {
    const code = Object.entries(NbdErrno).find(([, number]) => number === errno)?.[0] ?? String(errno);
    super(`the NBD server answered ${code}`);
    this.code = code;
  }
}

interface Waiting {
  readonly readBytes: number;
  readonly resolve: (data: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Connects to an export, for programs that copy or check a volume; guests use their own clients. Requests may be made
 * before earlier ones are answered.
 * @throws Error when the server can't be reached, has no such export, or does not speak the protocol.
 */
export const connectNbd = async ({ connect: where, exportName = '' }: NbdClientOptions): Promise<NbdClient> => {
  const socket = 'socketPath' in where ? connect(where.socketPath) : connect(where.port, where.host);
  await once(socket, 'connect');
  const input = new ByteReader(socket);
  try {
    const greeting = await input.take(18);
    if (greeting.readBigUInt64BE(0) !== INIT_MAGIC || greeting.readBigUInt64BE(8) !== OPTION_MAGIC) {
      throw new NbdProtocolError('not an NBD server of the newstyle handshake');
    }
    socket.write(encodeClientFlags(HandshakeFlag.FixedNewstyle | HandshakeFlag.NoZeroes));
    socket.write(encodeOption(Option.Go, encodeExportRequest(exportName, [])));
    const { sizeBytes, flags } = await readGoReplies(input);
    return new NbdClient(socket, input, sizeBytes, flags);
  } catch (error) {
    socket.destroy();
    throw error;
  }
};

const readGoReplies = async (input: ByteReader): Promise<{ sizeBytes: number; flags: number }> => {
  let found: { sizeBytes: number; flags: number } | null = null;
  for (;;) {
    const header = await input.take(OPTION_REPLY_HEADER_BYTES);
    if (header.readBigUInt64BE(0) !== OPTION_REPLY_MAGIC) throw new NbdProtocolError('wrong option reply magic');
    const type = header.readUInt32BE(12);
    const data = await input.take(header.readUInt32BE(16));
    if (type === OptionReply.Ack && found !== null) return found;
    if (type === OptionReply.UnknownExport) throw new Error('the NBD server has no such export');
    if (type !== OptionReply.Info) throw new NbdProtocolError(`unexpected option reply ${type}`);
    if (data.readUInt16BE(0) === Info.Export) {
      found = { sizeBytes: Number(data.readBigUInt64BE(2)), flags: data.readUInt16BE(10) };
    }
  }
};

export class NbdClient {
  readonly sizeBytes: number;
  readonly readOnly: boolean;
  readonly #socket: Socket;
  readonly #waiting = new Map<bigint, Waiting>();
  #nextCookie = 1n;
  #failure: Error | null = null;

  /** Made by {@link connectNbd}. */
  constructor(socket: Socket, input: ByteReader, sizeBytes: number, flags: number) {
    this.#socket = socket;
    this.sizeBytes = sizeBytes;
    this.readOnly = (flags & TransmissionFlag.ReadOnly) !== 0;
    this.#readReplies(input).catch((error: unknown) =>
      this.#fail(error instanceof Error ? error : new Error(String(error))),
    );
  }

  /** @param lengthBytes 1 byte to 32 MiB. */
  read(offsetBytes: number, lengthBytes: number): Promise<Buffer> {
    return this.#request(Command.Read, offsetBytes, lengthBytes);
  }

  /** @param data 1 byte to 32 MiB; it must not change before the promise settles. */
  async write(offsetBytes: number, data: Buffer, { fua = false } = {}): Promise<void> {
    if (data.length > MAX_PAYLOAD_BYTES) throw new RangeError('one write carries 32 MiB at most');
    await this.#request(Command.Write, offsetBytes, data.length, fuaFlag(fua), data);
  }

  /** Makes all writes that were answered before durable. */
  async flush(): Promise<void> {
    await this.#request(Command.Flush, 0, 0);
  }

  async trim(offsetBytes: number, lengthBytes: number, { fua = false } = {}): Promise<void> {
    await this.#request(Command.Trim, offsetBytes, lengthBytes, fuaFlag(fua));
  }

  async writeZeroes(offsetBytes: number, lengthBytes: number, { fua = false, mayTrim = true } = {}): Promise<void> {
    const flags = fuaFlag(fua) | (mayTrim ? 0 : CommandFlag.NoHole);
    await this.#request(Command.WriteZeroes, offsetBytes, lengthBytes, flags);
  }

  /** Says goodbye; requests that are not answered yet fail. */
  async close(): Promise<void> {
    if (this.#socket.closed) return;
    const closed = once(this.#socket, 'close');
    this.#socket.end(encodeRequest({ type: Command.Disconnect, cookie: 0n }));
    await closed;
  }

  #request(type: number, offsetBytes: number, lengthBytes: number, flags = 0, data?: Buffer): Promise<Buffer> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const cookie = this.#nextCookie;
    this.#nextCookie += 1n;
    return new Promise((resolve, reject) => {
      this.#waiting.set(cookie, { readBytes: type === Command.Read ? lengthBytes : 0, resolve, reject });
      this.#socket.cork();
      this.#socket.write(encodeRequest({ type, cookie, offsetBytes, lengthBytes, flags }));
      if (data !== undefined) this.#socket.write(data);
      this.#socket.uncork();
    });
  }

  async #readReplies(input: ByteReader): Promise<void> {
    for (;;) {
      const header = await input.take(SIMPLE_REPLY_BYTES);
      const cookie = header.readBigUInt64BE(8);
      const waiting = this.#waiting.get(cookie);
      if (header.readUInt32BE(0) !== SIMPLE_REPLY_MAGIC || waiting === undefined) {
        throw new NbdProtocolError('not a reply to a request');
      }
      const errno = header.readUInt32BE(4);
      const data = await input.take(errno === 0 ? waiting.readBytes : 0);
      this.#waiting.delete(cookie);
      if (errno === 0) waiting.resolve(data);
      else waiting.reject(new NbdRequestError(errno));
    }
  }

  #fail(error: Error): void {
    this.#failure = error;
    this.#socket.destroy();
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Takes exact numbers of bytes off a socket. */
class ByteReader {
  readonly #socket: Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(socket: Socket) {
    this.#socket = socket;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  }

  /** @throws Error when the server closes the connection first. */
  async take(length: number): Promise<Buffer> {
    if (this.#rest.length < length) {
      const parts = [this.#rest];
      for (let have = this.#rest.length; have < length;) {
        const { value, done } = await this.#chunks.next();
        if (done === true) throw new Error('the NBD server closed the connection', { cause: this.#socket.errored });
        parts.push(value);
        have += value.length;
      }
      this.#rest = Buffer.concat(parts);
    }
    const taken = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return taken;
  }
}
