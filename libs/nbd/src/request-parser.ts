import { NbdProtocolError } from './export-backend.ts';
import { Command, REQUEST_BYTES, REQUEST_MAGIC } from './wire.ts';

/** One request. The parser reuses the object: it is valid until the next call of `next`. */
export interface NbdRequest {
  flags: number;
  type: number;
  /** The client's cookie, copied to the reply, as two 32-bit halves. */
  cookieHigh: number;
  cookieLow: number;
  /** Infinity when the 64-bit offset is beyond what a number holds exactly; no export is that large. */
  offsetBytes: number;
  lengthBytes: number;
  /** What a WRITE carries; empty for the others. */
  data: Buffer;
}

const NO_DATA = Buffer.alloc(0);
/** 2^53 / 2^32: high halves from here on make an offset that is not a safe integer. */
const UNSAFE_HIGH_HALF = 0x200000;
/** A carry-over buffer larger than this is not kept for the next request. */
const KEPT_CARRY_BYTES = 1024 * 1024;

/**
 * Splits a byte stream into requests. `push` a chunk, then call `next` until it returns null; only then may the chunk's
 * memory be used again. A request that lies whole in its chunk is not copied.
 */
export class RequestParser {
  readonly #maxPayloadBytes: number;
  readonly #mayBegin: (request: NbdRequest) => boolean;
  readonly #request: NbdRequest = {
    flags: 0,
    type: 0,
    cookieHigh: 0,
    cookieLow: 0,
    offsetBytes: 0,
    lengthBytes: 0,
    data: NO_DATA,
  };
  #chunk: Buffer = NO_DATA;
  #position = 0;
  /** The start of a request whose end has not arrived. */
  #carry: Buffer = Buffer.allocUnsafeSlow(REQUEST_BYTES);
  #carriedBytes = 0;
  /** `mayBegin` has said yes to the request whose end has not arrived. */
  #isBegun = false;

  /** @param mayBegin asked once its header is there: there is memory for what it moves. */
  constructor(maxPayloadBytes: number, mayBegin: (request: NbdRequest) => boolean) {
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#mayBegin = mayBegin;
  }

  /** Memory set aside for a request whose end has not arrived. */
  get heldBytes(): number {
    return this.#isBegun ? this.#carry.length : 0;
  }

  push(chunk: Buffer): void {
    if (this.#position !== this.#chunk.length) throw new Error('pushed a chunk before the last one was parsed');
    this.#chunk = chunk;
    this.#position = 0;
  }

  /**
   * @returns the next complete request, null when more bytes are needed, or `blocked` when it may not begin yet.
   * @throws NbdProtocolError for a wrong magic, or a WRITE larger than the limit.
   */
  next(): NbdRequest | null | 'blocked' {
    if (this.#carriedBytes > 0) return this.#nextFromCarry();
    const available = this.#chunk.length - this.#position;
    if (available === 0) this.#reserveCarry(REQUEST_BYTES); // An idle connection keeps no large one.
    if (available >= REQUEST_BYTES) {
      const payload = this.#readHeader(this.#chunk, this.#position);
      if (!this.#mayBegin(this.#request)) return 'blocked';
      if (available >= REQUEST_BYTES + payload) {
        const start = this.#position + REQUEST_BYTES;
        this.#request.data = payload === 0 ? NO_DATA : this.#chunk.subarray(start, start + payload);
        this.#position = start + payload;
        return this.#request;
      }
      this.#reserveCarry(REQUEST_BYTES + payload);
      this.#isBegun = true;
    }
    this.#fillCarry(available);
    return null;
  }

  /**
   * Leaves the memory of the last request's data to the caller, who needs it after the next call of `next`.
   * @returns false when that memory is the chunk's, which the caller must then keep.
   */
  detachData(): boolean {
    if (this.#request.data.buffer !== this.#carry.buffer) return false;
    this.#carry = Buffer.allocUnsafeSlow(REQUEST_BYTES);
    return true;
  }

  #nextFromCarry(): NbdRequest | null | 'blocked' {
    if (this.#carriedBytes < REQUEST_BYTES) this.#fillCarry(REQUEST_BYTES - this.#carriedBytes);
    if (this.#carriedBytes < REQUEST_BYTES) return null;
    const payload = this.#readHeader(this.#carry, 0);
    const wanted = REQUEST_BYTES + payload;
    if (!this.#isBegun && !this.#mayBegin(this.#request)) return 'blocked';
    this.#isBegun = true;
    this.#reserveCarry(wanted);
    this.#fillCarry(wanted - this.#carriedBytes);
    if (this.#carriedBytes < wanted) return null;
    this.#request.data = payload === 0 ? NO_DATA : this.#carry.subarray(REQUEST_BYTES, wanted);
    this.#carriedBytes = 0;
    this.#isBegun = false;
    return this.#request;
  }

  /** Reads the fixed part into the request. @returns how many bytes of data follow it. */
  #readHeader(bytes: Buffer, at: number): number {
    if (bytes.readUInt32BE(at) !== REQUEST_MAGIC) throw new NbdProtocolError('wrong request magic');
    const request = this.#request;
    request.flags = bytes.readUInt16BE(at + 4);
    request.type = bytes.readUInt16BE(at + 6);
    request.cookieHigh = bytes.readUInt32BE(at + 8);
    request.cookieLow = bytes.readUInt32BE(at + 12);
    const offsetHigh = bytes.readUInt32BE(at + 16);
    request.offsetBytes =
      offsetHigh < UNSAFE_HIGH_HALF ? offsetHigh * 0x1_0000_0000 + bytes.readUInt32BE(at + 20) : Infinity;
    request.lengthBytes = bytes.readUInt32BE(at + 24);
    if (request.type !== Command.Write) return 0;
    // Its data would have to be swallowed before an error could be answered; the protocol lets us hang up instead.
    if (request.lengthBytes > this.#maxPayloadBytes) throw new NbdProtocolError('write larger than the maximum');
    return request.lengthBytes;
  }

  #reserveCarry(bytes: number): void {
    const tooLarge = this.#carry.length > KEPT_CARRY_BYTES && bytes <= KEPT_CARRY_BYTES;
    if (this.#carry.length >= bytes && !tooLarge) return;
    const larger = Buffer.allocUnsafeSlow(bytes);
    this.#carry.copy(larger, 0, 0, this.#carriedBytes);
    this.#carry = larger;
  }

  #fillCarry(wanted: number): void {
    const taken = Math.min(wanted, this.#chunk.length - this.#position);
    this.#chunk.copy(this.#carry, this.#carriedBytes, this.#position, this.#position + taken);
    this.#carriedBytes += taken;
    this.#position += taken;
  }
}
