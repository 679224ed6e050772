import type { ExportBackend } from '../export-backend.ts';
import { SlabPool } from '../output.ts';
import { StatsCounter } from '../stats.ts';
import { Transmission, type InputState } from '../transmission.ts';
import { encodeRequest, type RequestFields } from '../client-messages.ts';
import { parseReplies, type AskedRequest, type ParsedReply } from './replies.ts';

export interface RequestToSend extends Omit<RequestFields, 'cookie'> {
  readonly data?: Buffer;
}

export interface DriverOptions {
  readonly structuredReplies?: boolean;
  readonly allocationContext?: boolean;
  readonly maxPayloadBytes?: number;
  readonly maxBytesInFlight?: number;
  readonly mayHold?: (moreBytes: number) => boolean;
}

/** Drives a transmission without a socket: feeds bytes in chunks of any size, collects what it sends. */
export class TransmissionDriver {
  readonly transmission: Transmission;
  readonly stats = new StatsCounter();
  readonly asked = new Map<bigint, AskedRequest>();
  state: InputState = 'more';
  readonly #sent: Buffer[] = [];
  #nextCookie = 0xfedc_ba98_7654_3210n;

  constructor(backend: ExportBackend, options: DriverOptions = {}) {
    this.transmission = new Transmission({
      backend,
      structuredReplies: options.structuredReplies ?? true,
      allocationContext: options.allocationContext ?? true,
      maxPayloadBytes: options.maxPayloadBytes ?? 32 * 1024 * 1024,
      maxBytesInFlight: options.maxBytesInFlight ?? 32 * 1024 * 1024,
      slabs: new SlabPool(4),
      stats: this.stats,
      onProgress: () => this.#progress(),
      mayHold: options.mayHold ?? (() => true),
    });
  }

  /** The bytes of a request, noted for the reply; `data` is copied, since a backend may change what it writes. */
  encode({ data, ...fields }: RequestToSend): Buffer {
    const cookie = this.#nextCookie;
    this.#nextCookie += 1n;
    const lengthBytes = fields.lengthBytes ?? data?.length ?? 0;
    this.asked.set(cookie, { type: fields.type, offsetBytes: Number(fields.offsetBytes ?? 0), lengthBytes });
    return Buffer.concat([encodeRequest({ ...fields, lengthBytes, cookie }), data ?? Buffer.alloc(0)]);
  }

  /** Feeds the bytes in chunks that end at `cuts`. */
  feed(bytes: Buffer, cuts: readonly number[] = []): void {
    const ends = [...cuts.filter((cut) => cut > 0 && cut < bytes.length).sort((a, b) => a - b), bytes.length];
    let start = 0;
    for (const end of ends) {
      // A buffer of its own, overwritten afterwards as a socket's would be.
      const chunk = Buffer.from(bytes.subarray(start, end));
      let users = 0;
      const owner = { retain: () => (users += 1), release: () => (users -= 1) };
      this.state = this.transmission.receive(chunk, owner);
      this.collect();
      if (users === 0) chunk.fill(0xbd);
      start = end;
    }
  }

  collect(): void {
    for (const segment of this.transmission.takeOutput()) {
      this.#sent.push(Buffer.from(segment.bytes));
      segment.release();
    }
  }

  replies(): ParsedReply[] {
    return parseReplies(Buffer.concat(this.#sent), this.asked);
  }

  /** One request and its reply. */
  ask(request: RequestToSend): ParsedReply {
    this.feed(this.encode(request));
    return this.last();
  }

  last(): ParsedReply {
    const reply = this.replies().at(-1);
    if (reply === undefined) throw new Error('no reply');
    return reply;
  }

  #progress(): void {
    if (this.state === 'blocked') this.state = this.transmission.resume();
    this.collect();
  }
}

/** Finishes every request later, in an order given by `pick`: legal, and what a backend on a thread pool does. */
export class DelayedBackend implements ExportBackend {
  readonly #below: ExportBackend;
  readonly #waiting: (() => void)[] = [];
  /** The request that comes next will fail when it is finished. */
  failNext = false;

  constructor(below: ExportBackend) {
    this.#below = below;
  }

  get sizeBytes(): number {
    return this.#below.sizeBytes;
  }

  get readOnly(): boolean {
    return this.#below.readOnly;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  read(offsetBytes: number, target: Buffer): Promise<void> {
    return this.#later(() => this.#below.read(offsetBytes, target));
  }

  write(offsetBytes: number, data: Buffer): Promise<void> {
    return this.#later(() => this.#below.write(offsetBytes, data));
  }

  flush(): Promise<void> {
    return this.#later(() => this.#below.flush());
  }

  trim(offsetBytes: number, lengthBytes: number): Promise<void> {
    return this.#later(() => this.#below.trim(offsetBytes, lengthBytes));
  }

  writeZeroes(offsetBytes: number, lengthBytes: number, options: { mayTrim: boolean }): Promise<void> {
    return this.#later(() => this.#below.writeZeroes(offsetBytes, lengthBytes, options));
  }

  async extents(offsetBytes: number, lengthBytes: number) {
    return this.#below.extents(offsetBytes, lengthBytes);
  }

  /** Finishes one waiting request. @param pick any number; chooses among them. */
  async finishOne(pick: number): Promise<void> {
    const [finish] = this.#waiting.splice(pick % this.#waiting.length, 1);
    finish?.();
    await new Promise((resolve) => setImmediate(resolve));
  }

  #later<T>(run: () => T | Promise<T>): Promise<T> {
    const { failNext } = this;
    this.failNext = false;
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        try {
          if (failNext) throw new Error('asked to fail');
          resolve(run());
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
      });
    });
  }
}
