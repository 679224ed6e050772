import { connect, type Socket } from 'node:net';
import { BlockBuffers } from './block-buffers.ts';
import { type Frame, FrameReader } from './frame-reader.ts';
import { type AnswerHead, answerLengths, BLOCK_BYTES, requestHead } from './frames.ts';

/** A block that goes to a host, as far as it has come: `follow` tells of its pieces, those that are there at once. */
export interface BlockSource {
  /** @returns stops telling. `onEnd`: with an error when no more comes, though it should. */
  follow(onPiece: (piece: Buffer) => void, onEnd: (error: Error) => void): () => void;
}

export interface BlockAnswer extends AnswerHead {
  /** Memory of the client's: `giveBack` when nobody reads it any more. Null: there is none in the answer. */
  readonly block: Buffer<ArrayBuffer> | null;
}

export interface BlockClientOptions {
  /** Each carries one block at a time. */
  readonly maxConnections: number;
  /** Less than the hosts'. */
  readonly idleMs: number;
}

const KEPT_BUFFERS = 32;

/** Sends blocks to hosts and fetches them, over connections that are kept. */
export class BlockWireClient {
  readonly #options: BlockClientOptions;
  readonly #buffers = new BlockBuffers(KEPT_BUFFERS);
  readonly #idle = new Map<string, Connection[]>();
  readonly #all = new Set<Connection>();
  readonly #waiting: (() => void)[] = [];
  #open = 0;

  constructor(options: BlockClientOptions) {
    this.#options = options;
  }

  /**
   * @param endpoint `unix:<path>` or `tcp://<host>:<port>`.
   * @param source null: the block is asked for.
   * @throws Error when the host can't be reached, or does not answer in time.
   */
  async send(endpoint: string, ticket: string, source: BlockSource | null, deadlineMs: number): Promise<BlockAnswer> {
    const connection = await this.#connection(endpoint);
    try {
      const answer = await connection.carry(ticket, source, deadlineMs);
      if (connection.isUsable) this.#keep(endpoint, connection);
      return answer;
    } finally {
      this.#open--;
      this.#waiting.shift()?.();
    }
  }

  giveBack(block: Buffer<ArrayBuffer>): void {
    this.#buffers.giveBack(block);
  }

  destroy(): void {
    for (const connection of this.#all) connection.destroy();
  }

  async #connection(endpoint: string): Promise<Connection> {
    while (this.#open >= this.#options.maxConnections)
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#open++;
    const kept = this.#idle.get(endpoint);
    for (let last = kept?.pop(); last !== undefined; last = kept?.pop()) if (last.isUsable) return last;
    const connection = new Connection(endpoint, this.#buffers, this.#options.idleMs, () =>
      this.#all.delete(connection),
    );
    this.#all.add(connection);
    return connection;
  }

  #keep(endpoint: string, connection: Connection): void {
    const kept = this.#idle.get(endpoint) ?? [];
    this.#idle.set(endpoint, kept);
    kept.push(connection);
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  #settle: { resolve: (frame: Frame) => void; reject: (error: Error) => void } | null = null;

  constructor(endpoint: string, buffers: BlockBuffers, idleMs: number, onClose: () => void) {
    this.#reader = new FrameReader(answerLengths, buffers);
    const onread = {
      buffer: () => this.#reader.target(),
      callback: (count: number) => this.#received(count),
    };
    this.#socket = connect({ ...addressOf(endpoint), noDelay: true, onread });
    this.#socket.setTimeout(idleMs, () => {
      if (this.#settle === null) this.#socket.destroy();
    });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => {
      this.#fail(new Error('the host closed the connection'));
      this.#reader.abandon();
      onClose();
    });
  }

  get isUsable(): boolean {
    return !this.#socket.destroyed && this.#socket.writable && !this.#reader.isWithinFrame;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  async carry(ticket: string, source: BlockSource | null, deadlineMs: number): Promise<BlockAnswer> {
    const tooLate = setTimeout(() => this.#fail(new Error('no answer in time')), Math.max(0, deadlineMs - Date.now()));
    let stop: () => void = () => undefined;
    try {
      const { text, block } = await new Promise<Frame>((resolve, reject) => {
        this.#settle = { resolve, reject };
        const head = requestHead(ticket, source === null ? 0 : BLOCK_BYTES);
        if (source === null) return void this.#socket.write(head);
        // Whoever takes it in need not look before there is something of the block to take in.
        let isBegun = false;
        const write = (piece: Buffer) => {
          if (!isBegun) this.#socket.cork();
          if (!isBegun) this.#socket.write(head);
          this.#socket.write(piece);
          if (!isBegun) this.#socket.uncork();
          isBegun = true;
        };
        stop = source.follow(write, (error) => this.#fail(error));
      });
      return { ...(JSON.parse(text) as AnswerHead), block };
    } finally {
      clearTimeout(tooLate);
      stop();
      this.#settle = null;
    }
  }

  #received(count: number): boolean {
    try {
      const frame = this.#reader.received(count);
      if (frame === null) return true;
      if (this.#settle === null) throw new Error('an answer to nothing');
      this.#settle.resolve(frame);
      return true;
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return false;
    }
  }

  /** Nothing more can be told apart on this connection. */
  #fail(error: Error): void {
    this.#settle?.reject(error);
    this.#socket.destroy();
  }
}

const addressOf = (endpoint: string): { path: string } | { host: string; port: number } => {
  if (endpoint.startsWith('unix:')) return { path: endpoint.slice('unix:'.length) };
  const { protocol, hostname, port } = new URL(endpoint);
  if (protocol !== 'tcp:' || port === '') throw new Error(`not where a host takes blocks: ${endpoint}`);
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) };
};
