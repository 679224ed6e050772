/** Replies are laid side by side in slabs of this size, so that one write serves all requests of a chunk. */
export const SLAB_BYTES = 256 * 1024;

/** What a segment costs besides its bytes, so that a client that reads no replies can't pile up tiny ones. */
const SEGMENT_OVERHEAD_BYTES = 512;

export interface Slab {
  readonly bytes: Buffer;
  /** Regions and segments that still use the memory, plus one while the slab is being filled. */
  users: number;
}

/** Keeps a bounded number of free slabs; shared by the connections of a server. */
export class SlabPool {
  readonly #free: Slab[] = [];
  readonly #keptSlabs: number;

  constructor(keptSlabs: number) {
    this.#keptSlabs = keptSlabs;
  }

  take(minBytes: number): Slab {
    const slab = minBytes <= SLAB_BYTES ? this.#free.pop() : undefined;
    if (slab === undefined) return { bytes: Buffer.allocUnsafeSlow(Math.max(minBytes, SLAB_BYTES)), users: 1 };
    slab.users = 1;
    return slab;
  }

  drop(slab: Slab): void {
    slab.users -= 1;
    if (slab.users === 0 && slab.bytes.length === SLAB_BYTES && this.#free.length < this.#keptSlabs)
      this.#free.push(slab);
  }
}

/** Bytes ready to be sent. Whoever sent them calls `release` once, when the memory may be used again. */
export interface Segment {
  readonly bytes: Buffer;
  release(): void;
}

/** Memory set aside for the reply to one request that is still being served. */
export interface Region {
  readonly slab: Slab;
  readonly start: number;
  readonly lengthBytes: number;
}

/**
 * Collects the replies of one connection. At most one region is open at a time (`open`); it is closed by `commit` (its
 * reply follows those before it), `cancel`, or `detach` (its reply comes later, out of order, through `send`).
 */
export class Output {
  /** Bytes of all regions and segments that have not been released: what this connection holds in memory. */
  bytesInFlight = 0;
  readonly #pool: SlabPool;
  #slab: Slab;
  /** [start, end) of the slab is committed and not yet part of a segment. */
  #start = 0;
  #end = 0;
  #ready: Segment[] = [];

  constructor(pool: SlabPool) {
    this.#pool = pool;
    this.#slab = pool.take(0);
  }

  /** Makes room for a reply of up to `lengthBytes`. @returns where it starts; the memory is `bytes` until it is closed. */
  open(lengthBytes: number): number {
    if (this.#start === this.#end && this.#slab.users === 1) {
      this.#start = 0; // All of the slab has been sent: memory that is still in the processor's cache is used again.
      this.#end = 0;
    }
    if (this.#end + lengthBytes > this.#slab.bytes.length) this.#nextSlab(lengthBytes);
    return this.#end;
  }

  get bytes(): Buffer {
    return this.#slab.bytes;
  }

  /** The open region's first `lengthBytes` are a complete reply. */
  commit(lengthBytes: number): void {
    this.#end += lengthBytes;
    this.bytesInFlight += lengthBytes;
  }

  /** Sets the open region aside for a request that is answered later. */
  detach(lengthBytes: number): Region {
    this.#seal();
    const region = { slab: this.#slab, start: this.#end, lengthBytes };
    this.#slab.users += 1;
    this.#end += lengthBytes;
    this.#start = this.#end;
    this.bytesInFlight += lengthBytes;
    return region;
  }

  /**
   * Closes a detached region.
   * @param pieces [start, end) pairs, relative to the region, of what is to be sent.
   */
  send(region: Region, pieces: readonly (readonly [number, number])[]): void {
    this.#seal();
    for (const [start, end] of pieces) this.#addSegment(region.slab, region.start + start, region.start + end);
    this.bytesInFlight -= region.lengthBytes;
    this.#pool.drop(region.slab);
  }

  /** Like `commit` for a reply with gaps. */
  commitPieces(pieces: readonly (readonly [number, number])[], lengthBytes: number): void {
    this.send(this.detach(lengthBytes), pieces);
  }

  /** @returns everything that is ready, in order. */
  take(): readonly Segment[] {
    this.#seal();
    if (this.#slab.bytes.length > SLAB_BYTES) this.#nextSlab(0); // Made for one large reply; an idle connection keeps it not.
    const ready = this.#ready;
    if (ready.length > 0) this.#ready = [];
    return ready;
  }

  /** Gives the memory back; nothing may be opened after it. */
  close(): void {
    for (const segment of this.take()) segment.release();
    this.#pool.drop(this.#slab);
  }

  #seal(): void {
    if (this.#end > this.#start) {
      this.bytesInFlight -= this.#end - this.#start;
      this.#addSegment(this.#slab, this.#start, this.#end);
    }
    this.#start = this.#end;
  }

  #addSegment(slab: Slab, start: number, end: number): void {
    slab.users += 1;
    const cost = end - start + SEGMENT_OVERHEAD_BYTES;
    this.bytesInFlight += cost;
    this.#ready.push(new SlabSegment(slab.bytes.subarray(start, end), this, slab, cost));
  }

  /** @internal A segment's bytes have been sent. */
  released(slab: Slab, cost: number): void {
    this.bytesInFlight -= cost;
    this.#pool.drop(slab);
  }

  #nextSlab(minBytes: number): void {
    this.#seal();
    this.#pool.drop(this.#slab);
    this.#slab = this.#pool.take(minBytes);
    this.#start = 0;
    this.#end = 0;
  }
}

/** A class, not a closure for each: at queue depth 1 there is one for each request. */
class SlabSegment implements Segment {
  readonly bytes: Buffer;
  readonly #output: Output;
  readonly #slab: Slab;
  readonly #cost: number;

  constructor(bytes: Buffer, output: Output, slab: Slab, cost: number) {
    this.bytes = bytes;
    this.#output = output;
    this.#slab = slab;
    this.#cost = cost;
  }

  release(): void {
    this.#output.released(this.#slab, this.#cost);
  }
}
