import type { Socket } from 'node:net';
import { NbdProtocolError } from './export-backend.ts';
import { Handshake, type ExportCatalogue, type Negotiated } from './handshake.ts';
import type { Segment, SlabPool } from './output.ts';
import type { MemoryHolder, SharedMemory } from './shared-memory.ts';
import { readInto } from './socket.ts';
import type { StatsCounter } from './stats.ts';
import { Transmission, type ChunkOwner, type InputState, type ShutDown } from './transmission.ts';
import { writeNow } from './write-now.ts';

/** What all connections of a server share. */
export interface ConnectionContext {
  readonly catalogue: ExportCatalogue;
  readonly slabs: SlabPool;
  readonly memory: SharedMemory;
  readonly stats: StatsCounter;
  readonly maxPayloadBytes: number;
  readonly maxBytesInFlight: number;
  readonly handshakeTimeoutMs: number;
  /** Told why a connection was cut; an NbdProtocolError blames the client, anything else is a bug or an outage. */
  readonly onConnectionError: (error: Error) => void;
}

/** A peer that does not take our last bytes is cut off after this time. */
const LAST_BYTES_TIMEOUT_MS = 1000;

/** Joins one socket to the two state machines, and sees that it ends whatever the client does. */
export class Connection implements MemoryHolder {
  /** Settles when the socket is closed and the backend has finished with every request. */
  readonly ended: Promise<void>;
  readonly #context: ConnectionContext;
  readonly #socket: Socket;
  readonly #handshake: Handshake;
  readonly #handshakeTimer: NodeJS.Timeout;
  #lastBytesTimer: NodeJS.Timeout | undefined;
  #transmission: Transmission | null = null;
  #negotiated: Negotiated | null = null;
  #isBlocked = false;
  #receivedBytes = 0;
  #takenBytes = 0;
  /** No more input is served; the socket ends when the last reply is out. */
  #isEnding = false;
  #isClosed = false;
  #progressScheduled = false;
  #onIdle: (() => void)[] = [];
  #onEnded: () => void = () => undefined;

  /** @param accepted from a server with `pauseOnConnect` and `allowHalfOpen`. */
  constructor(accepted: Socket, context: ConnectionContext) {
    this.#context = context;
    this.ended = new Promise((resolve) => (this.#onEnded = resolve));
    this.#handshake = new Handshake(context.catalogue, context.maxPayloadBytes);
    this.#handshakeTimer = setTimeout(
      () => this.#fail(new NbdProtocolError('the handshake took too long')),
      context.handshakeTimeoutMs,
    );
    this.#socket = readInto(accepted, (chunk, owner) => this.#onChunk(chunk, owner));
    this.#socket.on('error', () => this.#socket.destroy()); // The peer is gone; 'close' follows.
    this.#socket.on('end', () => this.#end());
    this.#socket.on('close', () => this.#onClose());
    this.#socket.write(this.#handshake.greeting());
  }

  /** The export in use, null before the client has chosen. */
  get exported(): Negotiated | null {
    return this.#negotiated;
  }

  get heldBytes(): number {
    return this.#transmission?.heldBytes ?? 0;
  }

  get waitsForClient(): boolean {
    return this.#socket.writableLength > 0 || (this.#transmission?.hasPartialRequest ?? false);
  }

  get movedBytes(): number {
    return this.#receivedBytes + this.#takenBytes;
  }

  get pendingBytes(): number {
    // What the kernel has taken of a write that has not ended is seen nowhere else.
    const handle = (this.#socket as unknown as { _handle?: { writeQueueSize?: number } | null })._handle;
    return handle?.writeQueueSize ?? 0;
  }

  cut(): void {
    this.#fail(new NbdProtocolError('its client held memory that others waited for'));
    this.#socket.destroy();
  }

  retry(): void {
    this.#scheduleProgress();
  }

  get hasRequestsUnderWay(): boolean {
    return (this.#transmission?.requestsUnderWay ?? 0) > 0;
  }

  /** Serves nothing that comes from here on. @returns settles when nothing is under way and every reply is sent. */
  async shutDown(how: ShutDown): Promise<void> {
    this.#handshake.shutDown();
    this.#transmission?.shutDown(how);
    if (this.#isClosed || this.#isIdle()) return this.#isClosed ? this.ended : undefined;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  end(): void {
    this.#end();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Another client takes its place. */
  giveWay(): void {
    this.#fail(new NbdProtocolError('still in its handshake when there were too many'));
    this.#socket.destroy();
  }

  #onChunk(chunk: Buffer, owner: ChunkOwner | null): boolean {
    this.#receivedBytes += chunk.length;
    if (this.#isEnding || this.#isClosed) return true; // Read and thrown away, so that the end is seen.
    try {
      this.#isBlocked = this.#receive(chunk, owner) === 'blocked';
    } catch (error) {
      this.#fail(error instanceof Error ? error : new Error(String(error)));
      return true;
    }
    this.#flush();
    return !this.#isBlocked;
  }

  #receive(chunk: Buffer, owner: ChunkOwner | null): InputState {
    if (this.#transmission !== null) return this.#noteDone(this.#transmission.receive(chunk, owner));
    const step = this.#handshake.receive(chunk);
    if (step.send.length > 0) this.#socket.write(step.send);
    if (step.kind === 'end') this.#end();
    if (step.kind !== 'transmission') return 'more';
    clearTimeout(this.#handshakeTimer);
    this.#negotiated = step.negotiated;
    const { slabs, stats, maxPayloadBytes, maxBytesInFlight } = this.#context;
    const transmission = new Transmission({
      ...step.negotiated,
      ...{ slabs, stats, maxPayloadBytes, maxBytesInFlight },
      onProgress: () => this.#scheduleProgress(),
      mayHold: (moreBytes) => this.#context.memory.mayHold(this, moreBytes),
    });
    this.#transmission = transmission;
    this.#context.memory.add(this);
    return step.rest.length === 0 ? 'more' : this.#noteDone(transmission.receive(step.rest, null));
  }

  #noteDone(state: InputState): InputState {
    if (state === 'done') this.#end();
    return state;
  }

  /** Several requests often finish in one turn of the event loop; their replies go out together. */
  #scheduleProgress(): void {
    if (this.#progressScheduled) return;
    this.#progressScheduled = true;
    setImmediate(() => {
      this.#progressScheduled = false;
      this.#progress();
    });
  }

  #progress(): void {
    const transmission = this.#transmission;
    if (transmission === null) return;
    if (this.#isBlocked && !this.#isEnding && !this.#isClosed) {
      try {
        this.#isBlocked = this.#noteDone(transmission.resume()) === 'blocked';
      } catch (error) {
        return this.#fail(error instanceof Error ? error : new Error(String(error)));
      }
      if (!this.#isBlocked) this.#socket.resume();
    }
    this.#flush();
    this.#settle();
  }

  #flush(): void {
    const segments = this.#transmission?.takeOutput() ?? [];
    for (const segment of segments) {
      if (this.#isClosed) segment.release();
      else this.#send(segment);
    }
  }

  #send(segment: Segment): void {
    const { bytes } = segment;
    const written = writeNow(this.#socket, bytes);
    if (written === bytes.length) this.#sent(segment);
    else this.#socket.write(written === 0 ? bytes : bytes.subarray(written), () => this.#sent(segment));
  }

  #sent(segment: Segment): void {
    this.#takenBytes += segment.bytes.length;
    segment.release();
    if (this.#isBlocked || this.#isEnding || this.#onIdle.length > 0) this.#scheduleProgress();
  }

  #isIdle(): boolean {
    const transmission = this.#transmission;
    return transmission === null || (transmission.requestsUnderWay === 0 && transmission.bytesInFlight === 0);
  }

  /** Takes the steps that wait for the last request. */
  #settle(): void {
    if (this.#isClosed) {
      if (this.hasRequestsUnderWay) return;
      this.#transmission?.close();
      this.#context.memory.remove(this);
      this.#onEnded();
    } else if (!this.#isIdle()) {
      return;
    }
    for (const resolve of this.#onIdle.splice(0)) resolve();
    if (this.#isEnding && !this.#isClosed) this.#finish();
  }

  #end(): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    clearTimeout(this.#handshakeTimer);
    this.#socket.resume(); // If it was stopped: there may be an end to see behind what we no longer serve.
    if (this.#transmission === null) this.#finish();
    else this.#scheduleProgress();
  }

  #finish(): void {
    if (this.#lastBytesTimer !== undefined) return;
    this.#socket.end();
    this.#lastBytesTimer = setTimeout(() => this.#socket.destroy(), LAST_BYTES_TIMEOUT_MS);
  }

  #fail(error: Error): void {
    if (this.#isEnding || this.#isClosed) return;
    this.#context.stats.connectionsRefused += 1;
    this.#context.onConnectionError(error);
    this.#end();
    if (!(error instanceof NbdProtocolError)) this.#socket.destroy();
  }

  #onClose(): void {
    clearTimeout(this.#handshakeTimer);
    clearTimeout(this.#lastBytesTimer);
    this.#isClosed = true;
    this.#flush();
    this.#settle();
  }
}
