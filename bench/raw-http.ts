// A client of HTTP/1.1 that does as little as one can: requests are bytes made in advance, answers are received into memory
// that is used again and only counted. What it costs would else be taken for what is measured.
import { connect, type Socket } from 'node:net';

/** One for all: nobody looks at the answers, and it stays in the processor's cache. */
const TARGET = Buffer.allocUnsafeSlow(262_144);
const MAX_HEAD_BYTES = 16_384;

export interface RawRequest {
  readonly head: string;
  readonly body: Buffer | undefined;
}

export const rawRequest = (
  { method, path, headers }: { method: string; path: string; headers: Record<string, string> },
  body: Buffer | undefined,
): RawRequest => {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return { head: `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`, body };
};

interface Waiting {
  readonly resolve: (bodyBytes: number) => void;
  readonly reject: (error: Error) => void;
}

/** One request at a time. */
export class RawConnection {
  readonly #socket: Socket;
  #waiting: Waiting | null = null;
  #head = '';
  /** Of the body, still to come; null: the head is still to come. */
  #leftBytes: number | null = null;
  #bodyBytes = 0;
  /** Of a refusal. */
  #refusal: string | null = null;

  constructor(endpoint: string) {
    const { hostname: host, port } = new URL(endpoint);
    const callback = (count: number) => {
      this.#received(TARGET.subarray(0, count));
      return true;
    };
    this.#socket = connect({ host, port: Number(port), noDelay: true, onread: { buffer: TARGET, callback } });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** @returns bytes of the answer's body. @throws Error of an answer that refuses, or that does not tell its length */
  send({ head, body }: RawRequest): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#socket.cork();
      this.#socket.write(head);
      if (body !== undefined) this.#socket.write(body);
      this.#socket.uncork();
    });
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #received(bytes: Buffer): void {
    if (this.#leftBytes !== null) return this.#bodyReceived(bytes);
    const before = this.#head.length;
    this.#head += bytes.toString('latin1', 0, MAX_HEAD_BYTES);
    const end = this.#head.indexOf('\r\n\r\n');
    if (end === -1 && this.#head.length < MAX_HEAD_BYTES) return;
    const head = this.#head.slice(0, end + 2);
    this.#head = '';
    const length = /^content-length: *(\d+)\r?$/im.exec(head)?.[1];
    if (end === -1 || length === undefined) return this.#fail(new Error(`an answer without a length: ${head}`));
    this.#leftBytes = this.#bodyBytes = Number(length);
    this.#refusal = head.startsWith('HTTP/1.1 2') ? null : '';
    this.#bodyReceived(bytes.subarray(end + 4 - before));
  }

  #bodyReceived(bytes: Buffer): void {
    if (this.#refusal !== null) this.#refusal += bytes.toString();
    this.#leftBytes = (this.#leftBytes ?? 0) - bytes.length;
    if (this.#leftBytes > 0) return;
    this.#leftBytes = null;
    const waiting = this.#waiting;
    this.#waiting = null;
    if (this.#refusal === null) waiting?.resolve(this.#bodyBytes);
    else waiting?.reject(new Error(this.#refusal));
  }

  #fail(error: Error): void {
    this.#waiting?.reject(error);
    this.#waiting = null;
    this.#socket.destroy();
  }
}
