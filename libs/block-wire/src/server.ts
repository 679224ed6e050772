import { createHash, type Hash } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { acceptInto } from '@holdfast/nbd/accepted-socket';
import { BlockBuffers } from './block-buffers.ts';
import { FrameReader, type Frame } from './frame-reader.ts';
import { type AnswerHead, answerHead, BLOCK_BYTES, requestLengths } from './frames.ts';

/** What a host does with blocks. Whatever it throws ends the connection, so refusals are answers. */
export interface BlockHandler {
  /** Before a block is taken in: why it is not to be; null: it is. */
  refusal(ticket: string, hasBlock: boolean): AnswerHead | null;
  /** @param sha256 of the block, computed while it came. The block's memory is the handler's until it settles. */
  put(ticket: string, block: Buffer<ArrayBuffer>, sha256: Buffer): Promise<AnswerHead>;
  /** @param target memory for the block, the handler's until it settles. @returns an answer that refuses nothing has the block. */
  get(ticket: string, target: Buffer<ArrayBuffer>): Promise<AnswerHead>;
}

export interface BlockServerOptions {
  readonly listen: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly handler: BlockHandler;
  /** Each holds a block in memory while it carries one. */
  readonly maxConnections: number;
  /** A connection on which nothing moves for so long is closed. */
  readonly idleMs: number;
}

const KEPT_BUFFERS = 32;

/** Takes and gives blocks over stream sockets: one at a time on each connection. */
export class BlockWireServer {
  readonly #options: BlockServerOptions;
  readonly #buffers = new BlockBuffers(KEPT_BUFFERS);
  readonly #sockets = new Set<Socket>();
  readonly #listener: Server;

  private constructor(options: BlockServerOptions) {
    this.#options = options;
    this.#listener = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  static async listen(options: BlockServerOptions): Promise<BlockWireServer> {
    const server = new BlockWireServer(options);
    server.#listener.listen(options.listen);
    await once(server.#listener, 'listening');
    if ('path' in options.listen) chmodSync(options.listen.path, 0o600);
    return server;
  }

  /** Null: on a unix socket. */
  get port(): number | null {
    const address = this.#listener.address() as AddressInfo | string | null;
    return typeof address === 'object' ? (address?.port ?? null) : null;
  }

  async close(): Promise<void> {
    // Not waited for: the listener goes on counting the sockets that were taken from it.
    this.#listener.close();
    const closed = [...this.#sockets].map((socket) => once(socket, 'close'));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(closed);
  }

  #accept(accepted: Socket): void {
    if (this.#sockets.size >= this.#options.maxConnections || !this.#listener.listening)
      return void accepted.on('error', () => undefined).destroy();
    const connection = new BlockConnection(this.#options.handler, this.#buffers);
    const socket =
      acceptInto(accepted, {
        buffer: () => connection.target(),
        callback: (count) => connection.received(count),
      }) ?? connection.readEvents(accepted);
    this.#sockets.add(socket);
    socket.setTimeout(this.#options.idleMs, () => {
      if (!connection.isBusy) socket.destroy();
    });
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
    socket.on('close', () => {
      this.#sockets.delete(socket);
      connection.ended();
    });
    connection.start(socket);
  }
}

class BlockConnection {
  readonly #handler: BlockHandler;
  readonly #buffers: BlockBuffers;
  readonly #reader: FrameReader;
  #socket: Socket | null = null;
  #refusal: AnswerHead | null = null;
  #hash: Hash | null = null;
  #isBusy = false;

  constructor(handler: BlockHandler, buffers: BlockBuffers) {
    this.#handler = handler;
    this.#buffers = buffers;
    this.#reader = new FrameReader(requestLengths, buffers, {
      onHead: (ticket, bodyBytes) => {
        this.#refusal =
          bodyBytes !== 0 && bodyBytes !== BLOCK_BYTES
            ? { refused: { code: 'WrongLength', message: `${String(bodyBytes)} bytes` } }
            : handler.refusal(ticket, bodyBytes > 0);
        this.#hash = this.#refusal === null && bodyBytes > 0 ? createHash('sha256') : null;
        return this.#refusal === null;
      },
      onBody: (bytes) => this.#hash?.update(bytes),
    });
  }

  /** Between a request that is whole and the end of its answer. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  start(socket: Socket): void {
    this.#socket = socket;
    socket.resume();
  }

  target(): Buffer {
    return this.#reader.target();
  }

  received(count: number): boolean {
    try {
      if (this.#isBusy) throw new Error('a request before the last one was answered');
      const frame = this.#reader.received(count);
      if (frame !== null) void this.#serve(frame);
    } catch {
      this.#socket?.destroy();
      return false;
    }
    return true;
  }

  /** Where a socket can't be made to read into memory of ours. */
  readEvents(socket: Socket): Socket {
    return socket.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length && !socket.destroyed;) {
        const taken = chunk.copy(this.target(), 0, at);
        if (taken === 0 || !this.received(taken)) return void socket.destroy();
        at += taken;
      }
    });
  }

  ended(): void {
    this.#reader.abandon();
  }

  async #serve({ text, block }: Frame): Promise<void> {
    this.#isBusy = true;
    const memory = block ?? (this.#refusal === null ? this.#buffers.take() : null);
    const giveBack = () => {
      if (memory !== null) this.#buffers.giveBack(memory);
    };
    try {
      const answer = this.#refusal ?? (await this.#handle(text, memory, block !== null));
      const hasBody = memory !== null && block === null && answer.refused === undefined;
      this.#isBusy = false;
      this.#send(answerHead(answer, hasBody ? BLOCK_BYTES : 0), hasBody ? memory : null, giveBack);
    } catch {
      giveBack();
      this.#socket?.destroy();
    }
  }

  #handle(ticket: string, memory: Buffer<ArrayBuffer> | null, isPut: boolean): Promise<AnswerHead> {
    if (memory === null) throw new Error('a request without memory was not refused');
    const hash = this.#hash;
    if (!isPut) return this.#handler.get(ticket, memory);
    if (hash === null) throw new Error('a block was not digested');
    return this.#handler.put(ticket, memory, hash.digest());
  }

  #send(head: Buffer, block: Buffer | null, sent: () => void): void {
    const socket = this.#socket;
    if (socket === null || socket.destroyed) return sent();
    socket.cork();
    socket.write(head, block === null ? sent : undefined);
    if (block !== null) socket.write(block, sent);
    socket.uncork();
  }
}
