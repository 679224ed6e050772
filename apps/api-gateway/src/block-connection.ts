import { STATUS_CODES, validateHeaderValue } from 'node:http';
import type { Socket } from 'node:net';
import { BLOCK_BYTES } from '@holdfast/block-wire';
import type { Answer, AwsAnswers, Client } from './aws/answer.ts';
import { type BlockHead, readBlockHead } from './aws/block-head.ts';
import { BlockStream } from './aws/block-stream.ts';
import { HEADERS_TIMEOUT_MS, KEEP_ALIVE_TIMEOUT_MS, REQUEST_TIMEOUT_MS } from './http-limits.ts';

/** A longer head goes to Node's parser. What of a block comes with its head is copied, so this is no more than it has to be. */
const HEAD_BYTES = 16_384;
/** For what nobody wants of a block that was refused: nobody reads it. */
const UNWANTED = Buffer.allocUnsafeSlow(65_536);
const NO_BODY = Buffer.alloc(0);
const END_OF_HEAD = '\r\n\r\n';

/** @returns null: what came is not the head of a request for a block, as far as it came. */
export const blockHeadIn = (bytes: Buffer): { head: BlockHead; lengthBytes: number } | null => {
  const end = bytes.indexOf(END_OF_HEAD);
  const head = end === -1 ? null : readBlockHead(bytes.latin1Slice(0, end));
  return head === null ? null : { head, lengthBytes: end + END_OF_HEAD.length };
};

/**
 * A client's connection on which blocks of EBS direct come and go, one after the other. Node's HTTP server spends more on a
 * block than everything else that is done with it here: two copies in memory, and streams around each.
 */
export class BlockConnection {
  readonly #answers: Pick<AwsAnswers, 'answer'>;
  /** A request came that is another's, with these bytes of it. */
  readonly #onOther: (bytes: Buffer) => void;
  readonly #head = Buffer.allocUnsafeSlow(HEAD_BYTES);
  #headBytes = 0;
  #socket: Socket | null = null;
  #stream: BlockStream | null = null;
  /** Of a block, still to come. */
  #leftBytes = 0;
  #isAnswering = false;
  #isEnding = false;
  #deadlineMs = performance.now() + HEADERS_TIMEOUT_MS;

  constructor(answers: Pick<AwsAnswers, 'answer'>, onOther: (bytes: Buffer) => void) {
    this.#answers = answers;
    this.#onOther = onOther;
  }

  /** @param bytes received before. */
  start(socket: Socket, bytes: Buffer): void {
    this.#socket = socket;
    this.#headBytes = bytes.copy(this.#head);
    // What did not find room is of the block.
    const rest = bytes.subarray(this.#headBytes);
    this.#look(rest);
    socket.resume();
  }

  /** The client is slower than may be. */
  isOverdue(nowMs: number): boolean {
    return nowMs > this.#deadlineMs;
  }

  /** Ends when it has answered what has begun. */
  end(): void {
    this.#isEnding = true;
    if (!this.#isAnswering) this.#socket?.destroy();
  }

  ended(): void {
    this.#stream?.fail(new Error('the client went away'));
  }

  /** Where the next bytes go. */
  target(): Buffer {
    if (this.#leftBytes === 0) return this.#head.subarray(this.#headBytes);
    return this.#stream?.target ?? UNWANTED.subarray(0, this.#leftBytes);
  }

  /** So many bytes came. @returns false: no more for now. */
  received(count: number): boolean {
    if (this.#leftBytes === 0) {
      if (this.#headBytes === 0) this.#deadlineMs = performance.now() + HEADERS_TIMEOUT_MS;
      this.#headBytes += count;
      return this.#look();
    }
    this.#bodyReceived(count);
    return this.#wantsMore;
  }

  get #wantsMore(): boolean {
    if (this.#isAnswering) return this.#leftBytes > 0 && this.#stream?.target != null;
    return true;
  }

  #bodyReceived(count: number): void {
    this.#leftBytes -= count;
    this.#stream?.received(count);
    if (this.#leftBytes === 0 && !this.#isAnswering) this.#awaitNext();
  }

  #awaitNext(): void {
    this.#deadlineMs = performance.now() + KEEP_ALIVE_TIMEOUT_MS;
  }

  /** @param rest of what came, behind what is in `#head`. */
  #look(rest: Buffer = NO_BODY): boolean {
    const bytes = this.#head.subarray(0, this.#headBytes);
    const found = blockHeadIn(bytes);
    if (found === null) return this.#lookAgain(bytes);
    this.#deadlineMs = performance.now() + REQUEST_TIMEOUT_MS;
    const { head, lengthBytes } = found;
    const early = bytes.subarray(lengthBytes);
    if (head.checksum === null) {
      this.#headBytes = early.copy(this.#head);
      void this.#serve(head, null);
      return this.#wantsMore;
    }
    this.#headBytes = 0;
    this.#leftBytes = BLOCK_BYTES;
    const kept = rest.length === 0 ? early : Buffer.concat([early, rest]);
    const stream = new BlockStream(head.checksum, () => this.#begin(stream, kept));
    void this.#serve(head, stream);
    return this.#wantsMore;
  }

  #lookAgain(bytes: Buffer): boolean {
    // Blanks between requests, and whatever else Node's parser knows about, are for it.
    const isPart = bytes.length < HEAD_BYTES && !bytes.includes(END_OF_HEAD);
    if (isPart) return true;
    this.#deadlineMs = Infinity;
    this.#onOther(Buffer.from(bytes));
    return true;
  }

  /** The block is wanted: first what came with its head. */
  #begin(stream: BlockStream, early: Buffer): void {
    const target = stream.target;
    if (target !== null) early.copy(target);
    this.#bodyReceived(early.length);
    this.#socket?.resume();
  }

  async #serve({ method, url, headers }: BlockHead, stream: BlockStream | null): Promise<void> {
    this.#isAnswering = true;
    this.#stream = stream;
    const answer = await this.#answers.answer({ method, url, headers }, stream ?? NO_BODY, this.#client(headers));
    stream?.release();
    this.#send(answer);
  }

  #client({ 'user-agent': userAgent = '', traceparent }: Readonly<Record<string, string>>): Client {
    const ip = this.#socket?.remoteAddress ?? '';
    return { ip, userAgent, ...(traceparent === undefined ? {} : { traceparent }) };
  }

  #send(answer: Answer): void {
    const socket = this.#socket;
    if (socket === null || socket.destroyed) return answer.release?.();
    socket.cork();
    socket.write(headOf(answer, this.#isEnding), 'latin1');
    socket.write(answer.body, () => {
      answer.release?.();
      this.#answered();
    });
    socket.uncork();
  }

  #answered(): void {
    this.#isAnswering = false;
    this.#stream = null;
    if (this.#isEnding) return void this.#socket?.end();
    if (this.#leftBytes === 0) this.#awaitNext();
    if (this.#leftBytes === 0 && this.#headBytes > 0) this.#look();
    this.#socket?.resume();
  }
}

/** @throws TypeError for a header that would not stay one. */
const headOf = ({ status, headers, body }: Answer, isLast: boolean): string => {
  const connection = isLast
    ? { connection: 'close' }
    : { connection: 'keep-alive', 'keep-alive': `timeout=${String(KEEP_ALIVE_TIMEOUT_MS / 1000)}` };
  const all: Record<string, string> = { ...headers, ...connection };
  let text = `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n`;
  for (const name of Object.keys(all)) {
    validateHeaderValue(name, all[name] ?? '');
    text += `${name}: ${all[name] ?? ''}\r\n`;
  }
  if (!Object.keys(all).some((name) => name.toLowerCase() === 'content-length'))
    text += `content-length: ${String(body.length)}\r\n`;
  return `${text}\r\n`;
};
