import { createHash, type Hash } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { acceptInto } from '@holdfast/nbd/accepted-socket';
import { BlockBuffers } from './block-buffers.ts';
import { FrameReader, type Frame } from './frame-reader.ts';
import { type AnswerHead, answerHead, BLOCK_BYTES, requestLengths } from './frames.ts';

export type Admission<Admitted> = { readonly admitted: Admitted } | Required<Pick<AnswerHead, 'refused'>>;

/** What a host does with blocks. Whatever it throws ends the connection, so refusals are answers. */
export interface BlockHandler<Admitted> {
  /** Before a block is taken in. @returns what its ticket was found to say, or why the block is not to be taken. */
  admit(ticket: string, hasBlock: boolean): Admission<Admitted>;
  /** @param sha256 of the block, computed while it came. The block's memory is the handler's until it settles. */
  put(admitted: Admitted, block: Buffer<ArrayBuffer>, sha256: Buffer): Promise<AnswerHead>;
  /** @param target memory for the block, the handler's until it settles. @returns an answer that refuses nothing has the block. */
  get(admitted: Admitted, target: Buffer<ArrayBuffer>): Promise<AnswerHead>;
}

export interface BlockServerOptions<Admitted> {
  readonly listen: { readonly path: string } | { readonly host: string; readonly port: number };
  readonly handler: BlockHandler<Admitted>;
  /** Each holds a block in memory while it carries one. */
  readonly maxConnections: number;
  /** A connection on which nothing moves for so long is closed. */
  readonly idleMs: number;
}

const KEPT_BUFFERS = 64;

/** Takes and gives blocks over stream sockets: one at a time on each connection. */
export class BlockWireServer<Admitted> {
  readonly #options: BlockServerOptions<Admitted>;
  readonly #buffers = new BlockBuffers(KEPT_BUFFERS, { aligned: true });
  readonly #sockets = new Set<Socket>();
  readonly #listener: Server;

  private constructor(options: BlockServerOptions<Admitted>) {
    this.#options = options;
    this.#listener = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => this.#accept(socket));
  }

  static async listen<Admitted>(options: BlockServerOptions<Admitted>): Promise<BlockWireServer<Admitted>> {
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

class BlockConnection<Admitted> {
  readonly #handler: BlockHandler<Admitted>;
  readonly #buffers: BlockBuffers;
  readonly #reader: FrameReader;
  #socket: Socket | null = null;
  /** Of the frame that comes; null: none has come. */
  #admission: Admission<Admitted> | null = null;
  #hash: Hash | null = null;
  #isBusy = false;

  constructor(handler: BlockHandler<Admitted>, buffers: BlockBuffers) {
    this.#handler = handler;
    this.#buffers = buffers;
    this.#reader = new FrameReader(requestLengths, buffers, {
      onHead: (ticket, bodyBytes) => {
        this.#admission =
          bodyBytes !== 0 && bodyBytes !== BLOCK_BYTES
            ? { refused: { code: 'WrongLength', message: `${String(bodyBytes)} bytes` } }
            : handler.admit(ticket, bodyBytes > 0);
        const isAdmitted = 'admitted' in this.#admission;
        this.#hash = isAdmitted && bodyBytes > 0 ? createHash('sha256') : null;
        return isAdmitted;
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
      if (frame !== null && this.#admission !== null) void this.#serve(frame, this.#admission);
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

  async #serve({ block }: Frame, admission: Admission<Admitted>): Promise<void> {
    if (!('admitted' in admission)) return this.#send(answerHead(admission, 0));
    this.#isBusy = true;
    const memory = block ?? this.#buffers.take();
    const giveBack = () => this.#buffers.giveBack(memory);
    try {
      const answer = await this.#handle(admission.admitted, memory, block !== null);
      const hasBody = block === null && answer.refused === undefined;
      this.#isBusy = false;
      this.#send(answerHead(answer, hasBody ? BLOCK_BYTES : 0), hasBody ? memory : null, giveBack);
    } catch {
      giveBack();
      this.#socket?.destroy();
    }
  }

  #handle(admitted: Admitted, memory: Buffer<ArrayBuffer>, isPut: boolean): Promise<AnswerHead> {
    const hash = this.#hash;
    if (!isPut) return this.#handler.get(admitted, memory);
    if (hash === null) throw new Error('a block was not digested');
    return this.#handler.put(admitted, memory, hash.digest());
  }

  #send(head: Buffer, block: Buffer | null = null, sent: () => void = () => undefined): void {
    const socket = this.#socket;
    if (socket === null || socket.destroyed) return sent();
    socket.cork();
    socket.write(head, block === null ? sent : undefined);
    if (block !== null) socket.write(block, sent);
    socket.uncork();
  }
}
