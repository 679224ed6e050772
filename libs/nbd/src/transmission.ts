import { errnoOf, NbdProtocolError, type ExportBackend } from './export-backend.ts';
import { Output, type Region, type Segment, type SlabPool } from './output.ts';
import {
  blockStatusReply,
  DATA_CHUNK_HEADER_BYTES,
  ERROR_CHUNK_BYTES,
  layOutReadParts,
  MAX_STATUS_DESCRIPTORS,
  normalizeExtents,
  writeDataHeader,
  writeErrorChunk,
  writeSimpleReply,
  type ReplyTo,
} from './replies.ts';
import { checkRequest } from './request-rules.ts';
import { RequestParser, type NbdRequest } from './request-parser.ts';
import type { StatsCounter } from './stats.ts';
import { Command, CommandFlag, NbdErrno, SIMPLE_REPLY_BYTES } from './wire.ts';
import { findZeroParts, isOnePartOfData } from './zero-parts.ts';

export interface TransmissionOptions {
  readonly backend: ExportBackend;
  readonly structuredReplies: boolean;
  /** The client chose `base:allocation` for this export. */
  readonly allocationContext: boolean;
  readonly maxPayloadBytes: number;
  /** Replies not yet sent plus data of requests under way; no further request is begun above it. */
  readonly maxBytesInFlight: number;
  readonly slabs: SlabPool;
  readonly stats: StatsCounter;
  /** Called when a request that took time is answered, or there is room again: `resume` and `takeOutput` are due. */
  readonly onProgress: () => void;
  /** @returns whether there is memory for so much; else `resume` is due when there may be. */
  readonly mayHold: (moreBytes: number) => boolean;
}

/** Nothing: done at once. */
type Outcome = ReturnType<ExportBackend['write']>;

/** The memory a chunk lies in; a write that takes time retains it and releases it when it is done. */
export interface ChunkOwner {
  retain(): void;
  release(): void;
}

/** What a request under way costs besides its data. */
const REQUEST_OVERHEAD_BYTES = 512;
/** A block of a snapshot is half of it. */
const CACHE_PIECE_BYTES = 1024 * 1024;

/**
 * What becomes of requests that come too late. `for-good`: they are refused with ESHUTDOWN. `to-return`: they get no answer,
 * and no request fails any more, so that a client repeats them when it has connected again.
 */
export type ShutDown = 'for-good' | 'to-return';

/** `more`: feed the next chunk. `blocked`: the chunk is still in use; call `resume` later. `done`: the client said DISC. */
export type InputState = 'more' | 'blocked' | 'done';

/**
 * The transmission phase of one connection, without its socket: request bytes in, reply bytes out. A request that the
 * backend finishes at once is answered at once; the others are answered as they finish.
 */
export class Transmission {
  readonly #options: TransmissionOptions;
  readonly #backend: ExportBackend;
  readonly #parser: RequestParser;
  readonly #output: Output;
  #heldInputBytes = 0;
  #requestsUnderWay = 0;
  #shutDownAs: ShutDown | null = null;
  #isDone = false;
  #chunkOwner: ChunkOwner | null = null;

  constructor(options: TransmissionOptions) {
    this.#options = options;
    this.#backend = options.backend;
    this.#parser = new RequestParser(options.maxPayloadBytes, (request) => {
      const bytes = memoryFor(request);
      return bytes > options.maxPayloadBytes || options.mayHold(bytes); // What is too large is refused, and needs none.
    });
    this.#output = new Output(options.slabs);
  }

  /** Requests that the backend has not finished. */
  get requestsUnderWay(): number {
    return this.#requestsUnderWay;
  }

  get bytesInFlight(): number {
    return this.#output.bytesInFlight + this.#heldInputBytes;
  }

  /** As `bytesInFlight`, with what a request takes whose end has not arrived. */
  get heldBytes(): number {
    return this.bytesInFlight + this.#parser.heldBytes;
  }

  /** A request has begun to arrive and not ended. */
  get hasPartialRequest(): boolean {
    return this.#parser.heldBytes > 0;
  }

  /**
   * @param owner told when a write keeps the chunk; none for a chunk whose memory is used only once.
   * @throws NbdProtocolError; the connection must then be closed.
   */
  receive(chunk: Buffer, owner: ChunkOwner | null): InputState {
    if (this.#isDone) return 'done';
    this.#parser.push(chunk);
    this.#chunkOwner = owner;
    owner?.retain();
    return this.resume();
  }

  /** Goes on with the chunk that was blocked. @throws NbdProtocolError */
  resume(): InputState {
    const state = this.#serveChunk();
    if (state !== 'blocked') {
      this.#chunkOwner?.release();
      this.#chunkOwner = null;
    }
    return state;
  }

  #serveChunk(): InputState {
    while (!this.#isDone) {
      if (this.bytesInFlight >= this.#options.maxBytesInFlight) return 'blocked';
      const request = this.#parser.next();
      if (request === null) return 'more';
      if (request === 'blocked') return 'blocked';
      if (request.type === Command.Disconnect) this.#isDone = true;
      else this.#serve(request);
    }
    return 'done';
  }

  /** Replies that are ready, in order; `release` each when it has been sent. */
  takeOutput(): readonly Segment[] {
    return this.#output.take();
  }

  /** No request is begun from here on; those under way are finished. */
  shutDown(how: ShutDown): void {
    this.#shutDownAs = how;
  }

  /** Gives memory back; for when the connection has ended and nothing is under way. */
  close(): void {
    this.#output.close();
  }

  #serve(request: NbdRequest): void {
    const isRefused = this.#shutDownAs !== null;
    const refusal = isRefused ? NbdErrno.ESHUTDOWN : checkRequest(request, this.#backend, this.#options);
    if (refusal !== 0) return this.#answer(request, request, refusal);
    if (request.type === Command.Read) return this.#serveRead(request);
    let pending: Outcome | Promise<BlockStatus>;
    try {
      pending = this.#execute(request);
    } catch (error) {
      return this.#answer(request, request, errnoOf(error));
    }
    if (pending === undefined) this.#answer(request, request, 0);
    else this.#answerLater(request, pending);
  }

  #execute(request: NbdRequest): Outcome | Promise<BlockStatus> {
    const { type, flags, offsetBytes, lengthBytes } = request;
    switch (type) {
      case Command.Write:
        return this.#durably(flags, this.#backend.write(offsetBytes, request.data));
      case Command.Flush:
        return this.#backend.flush();
      case Command.Trim:
        return this.#durably(flags, this.#backend.trim(offsetBytes, lengthBytes));
      case Command.WriteZeroes: {
        const mayTrim = (flags & CommandFlag.NoHole) === 0;
        return this.#durably(flags, this.#backend.writeZeroes(offsetBytes, lengthBytes, { mayTrim }));
      }
      case Command.Cache:
        return this.#bringNear(offsetBytes, lengthBytes);
      case Command.BlockStatus:
        return this.#blockStatus(request);
      default:
        throw new NbdProtocolError(`command ${type} passed the checks but is not served`);
    }
  }

  /** Reading is what brings bytes near, from the disk or from the snapshot they are restored from; a piece after the other. */
  async #bringNear(offsetBytes: number, lengthBytes: number): Promise<void> {
    const piece = Buffer.allocUnsafeSlow(Math.min(lengthBytes, CACHE_PIECE_BYTES));
    for (let at = 0; at < lengthBytes; at += piece.length) {
      await this.#backend.read(offsetBytes + at, piece.subarray(0, lengthBytes - at));
    }
  }

  #durably(flags: number, written: Outcome): Outcome {
    if ((flags & CommandFlag.Fua) === 0) return written;
    return written === undefined ? this.#backend.flush() : written.then(() => this.#backend.flush());
  }

  async #blockStatus({ offsetBytes, lengthBytes, flags }: NbdRequest): Promise<BlockStatus> {
    const extents = await this.#backend.extents(offsetBytes, lengthBytes);
    const maxDescriptors = (flags & CommandFlag.RequestOne) === 0 ? MAX_STATUS_DESCRIPTORS : 1;
    const described = normalizeExtents(extents, lengthBytes, maxDescriptors);
    // A reply without a descriptor would break the protocol.
    if (described.length === 0) throw new Error('the backend described no byte of the range');
    return new BlockStatus((to) => blockStatusReply(to, described));
  }

  #serveRead(request: NbdRequest): void {
    const { lengthBytes, offsetBytes } = request;
    const headerBytes = this.#options.structuredReplies ? DATA_CHUNK_HEADER_BYTES : SIMPLE_REPLY_BYTES;
    const output = this.#output;
    const start = output.open(headerBytes + lengthBytes);
    const bytes = output.bytes;
    let pending: Outcome;
    try {
      pending = this.#backend.read(offsetBytes, bytes.subarray(start + headerBytes, start + headerBytes + lengthBytes));
    } catch (error) {
      return this.#answer(request, request, errnoOf(error));
    }
    if (pending !== undefined) return this.#finishReadLater(request, output.detach(headerBytes + lengthBytes), pending);
    this.#options.stats.count(Command.Read, lengthBytes, 0);
    const pieces = this.#layOutRead(bytes, start, request, request);
    if (pieces === null) output.commit(headerBytes + lengthBytes);
    else output.commitPieces(pieces, headerBytes + lengthBytes);
  }

  /** Writes the headers of a read that succeeded. @returns what to send of it, null for all. */
  #layOutRead(bytes: Buffer, start: number, to: ReplyTo, asked: ReadRange): [number, number][] | null {
    if (!this.#options.structuredReplies) {
      writeSimpleReply(bytes, start, to, 0);
      return null;
    }
    const { offsetBytes, lengthBytes, flags } = asked;
    if (isOnePartOfData(bytes, start + DATA_CHUNK_HEADER_BYTES, lengthBytes)) {
      writeDataHeader(bytes, start, to, offsetBytes, lengthBytes, true);
      return null;
    }
    const mayDivide = (flags & CommandFlag.DontFragment) === 0;
    const parts = findZeroParts(bytes, start + DATA_CHUNK_HEADER_BYTES, lengthBytes, mayDivide);
    if (parts.length > 1 || parts[0]?.isZero === true) return layOutReadParts(bytes, start, to, offsetBytes, parts);
    writeDataHeader(bytes, start, to, offsetBytes, lengthBytes, true);
    return null;
  }

  #finishReadLater(request: NbdRequest, region: Region, pending: Promise<void>): void {
    const { cookieHigh, cookieLow, offsetBytes, lengthBytes, flags } = request;
    const to = { cookieHigh, cookieLow };
    this.#requestsUnderWay += 1;
    const finish = (errno: number): void => {
      this.#requestsUnderWay -= 1;
      this.#options.stats.count(Command.Read, lengthBytes, errno);
      const { bytes } = region.slab;
      const pieces =
        errno === 0
          ? this.#layOutRead(bytes, region.start, to, { offsetBytes, lengthBytes, flags })
          : this.#isLeftUnanswered
            ? []
            : [[0, this.#writeReadError(bytes, region.start, to, errno)] as const];
      this.#output.send(region, pieces ?? [[0, region.lengthBytes]]);
      this.#options.onProgress();
    };
    pending.then(
      () => finish(0),
      (error: unknown) => finish(errnoOf(error)),
    );
  }

  /** Reads and block status must be answered in the form that was agreed on; all else has a simple reply. */
  #writeReadError(bytes: Buffer, at: number, to: ReplyTo, errno: number): number {
    return this.#options.structuredReplies
      ? writeErrorChunk(bytes, at, to, errno)
      : writeSimpleReply(bytes, at, to, errno);
  }

  /** Of failures: what fails because this server ends would not fail with the one that the client turns to next. */
  get #isLeftUnanswered(): boolean {
    return this.#shutDownAs === 'to-return';
  }

  #answer(to: ReplyTo, { type, lengthBytes }: Answered, errno: number): void {
    if (errno !== 0 && this.#isLeftUnanswered) return;
    this.#options.stats.count(type, lengthBytes, errno);
    const at = this.#output.open(ERROR_CHUNK_BYTES);
    const bytes = this.#output.bytes;
    const isStructured = type === Command.Read || type === Command.BlockStatus;
    this.#output.commit(
      isStructured ? this.#writeReadError(bytes, at, to, errno) : writeSimpleReply(bytes, at, to, errno),
    );
  }

  #answerLater(request: NbdRequest, pending: Promise<unknown>): void {
    const { cookieHigh, cookieLow, type, lengthBytes } = request;
    const to = { cookieHigh, cookieLow };
    const held = REQUEST_OVERHEAD_BYTES + (type === Command.Read ? 0 : memoryFor(request)); // A read has its region.
    const owner = type === Command.Write && !this.#parser.detachData() ? this.#chunkOwner : null;
    owner?.retain();
    this.#heldInputBytes += held;
    this.#requestsUnderWay += 1;
    const finish = (errno: number, result: unknown): void => {
      this.#requestsUnderWay -= 1;
      this.#heldInputBytes -= held;
      owner?.release();
      if (errno === 0 && result instanceof BlockStatus) this.#answerBytes(result.replyTo(to), lengthBytes);
      else this.#answer(to, { type, lengthBytes }, errno);
      this.#options.onProgress();
    };
    pending.then(
      (result) => finish(0, result),
      (error: unknown) => finish(errnoOf(error), undefined),
    );
  }

  #answerBytes(reply: Buffer, lengthBytes: number): void {
    this.#options.stats.count(Command.BlockStatus, lengthBytes, 0);
    const at = this.#output.open(reply.length);
    reply.copy(this.#output.bytes, at);
    this.#output.commit(reply.length);
  }
}

/** Bytes that a request needs in memory. */
const memoryFor = ({ type, lengthBytes }: NbdRequest): number => {
  if (type === Command.Cache) return Math.min(lengthBytes, CACHE_PIECE_BYTES);
  return type === Command.Read || type === Command.Write ? lengthBytes : 0;
};

interface Answered {
  readonly type: number;
  readonly lengthBytes: number;
}

interface ReadRange {
  readonly offsetBytes: number;
  readonly lengthBytes: number;
  readonly flags: number;
}

/** What a block status request resolves to; told apart from what a backend's promise may resolve to. */
class BlockStatus {
  constructor(readonly replyTo: (to: ReplyTo) => Buffer) {}
}
