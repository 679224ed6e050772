import { z } from 'zod';

/** One end of Node's IPC channel: the service's `ChildProcess`, or `process` in a block host. */
export interface Channel {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): void;
  onClose(listener: () => void): void;
}

/** What the other side threw. `code` tells kinds apart. */
export class PeerError extends Error {
  override readonly name = 'PeerError';
  readonly code: string;
  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

export const CHANNEL_CLOSED = 'ChannelClosed';

const messageSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('request'), id: z.int(), method: z.string(), params: z.unknown() }),
  z.object({ kind: z.literal('reply'), id: z.int(), value: z.unknown() }),
  z.object({ kind: z.literal('refusal'), id: z.int(), code: z.string(), message: z.string() }),
  z.object({ kind: z.literal('notice'), name: z.string(), value: z.unknown() }),
]);

export type PeerHandlers = Readonly<Record<string, (params: unknown) => unknown>>;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Requests and replies both ways over a channel. Only JSON crosses it; plaintext keys never do. */
export class Peer {
  readonly #channel: Channel;
  readonly #handlers: PeerHandlers;
  readonly #onNotice: (name: string, value: unknown) => void;
  readonly #waiting = new Map<number, Waiting>();
  #nextId = 0;
  #closed = false;

  constructor(
    channel: Channel,
    handlers: PeerHandlers,
    onNotice: (name: string, value: unknown) => void = () => undefined,
  ) {
    this.#channel = channel;
    this.#handlers = handlers;
    this.#onNotice = onNotice;
    channel.onMessage((message) => this.#receive(message));
    channel.onClose(() => this.#close());
  }

  /** @throws PeerError as the other side threw it, or with code ChannelClosed. */
  call(method: string, params: unknown = {}): Promise<unknown> {
    if (this.#closed) return Promise.reject(closedError());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#send({ kind: 'request', id, method, params });
    });
  }

  notify(name: string, value: unknown = {}): void {
    if (!this.#closed) this.#send({ kind: 'notice', name, value });
  }

  #receive(raw: unknown): void {
    const parsed = messageSchema.safeParse(raw);
    if (!parsed.success) return;
    const message = parsed.data;
    if (message.kind === 'notice') return this.#onNotice(message.name, message.value);
    if (message.kind === 'request') return void this.#serve(message.id, message.method, message.params);
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if (message.kind === 'reply') waiting?.resolve(message.value);
    else waiting?.reject(new PeerError(message.code, message.message));
  }

  async #serve(id: number, method: string, params: unknown): Promise<void> {
    try {
      const handler = Object.hasOwn(this.#handlers, method) ? this.#handlers[method] : undefined;
      if (handler === undefined) throw new PeerError('UnknownMethod', method);
      this.#send({ kind: 'reply', id, value: (await handler(params)) ?? null });
    } catch (error) {
      this.#send({ kind: 'refusal', id, code: codeOf(error), message: messageOf(error) });
    }
  }

  #send(message: unknown): void {
    if (!this.#closed) this.#channel.send(message);
  }

  #close(): void {
    this.#closed = true;
    for (const { reject } of this.#waiting.values()) reject(closedError());
    this.#waiting.clear();
  }
}

const closedError = () => new PeerError(CHANNEL_CLOSED, 'the other process has gone');

/** Errors are told apart by class name or, for those of the system and of peers, by code. */
const codeOf = (error: unknown): string => {
  if (error instanceof PeerError) return error.code;
  return error instanceof Error ? error.name : 'Error';
};

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
