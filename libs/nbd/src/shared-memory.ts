const MIB = 1024 * 1024;
/** What each connection may hold whatever the others do: some requests of the sizes that guests use. */
export const OWN_BYTES = MIB;
/** What all connections of a server may hold beyond that. */
const SHARED_BYTES = 256 * MIB;
/** How often those that wait for memory ask again. */
const RETRY_MS = 50;
/** While others wait, a client must take or bring so much in so many milliseconds to keep more than its own. */
const MIN_MOVED_BYTES = MIB;
const MOVE_WITHIN_MS = 10_000;

/** A connection, as far as memory is concerned. */
export interface MemoryHolder {
  readonly heldBytes: number;
  /** It is its client's turn: to take replies, or to send the rest of a request. */
  readonly waitsForClient: boolean;
  /** Bytes that its client has sent, and those of the answers that it has taken whole. */
  readonly movedBytes: number;
  /** What the client has not taken yet of the answer that is being sent. */
  readonly pendingBytes: number;
  /** Its client moves nothing while others wait for the memory: it ends. */
  cut(): void;
  /** It waited for memory, and may ask again. */
  retry(): void;
}

interface Watch {
  readonly movedBytes: number;
  /** The most that was seen. */
  pendingBytes: number;
  readonly sinceMs: number;
}

/**
 * The memory of a server's connections. A few large requests of each of many clients would be more than a host has; so beyond a
 * small share of its own, a request waits until others have been answered. Nobody waits for a client that does not listen.
 */
export class SharedMemory {
  readonly #limitBytes: number;
  readonly #holders = new Set<MemoryHolder>();
  readonly #waiting = new Set<MemoryHolder>();
  readonly #watched = new Map<MemoryHolder, Watch>();
  #timer: NodeJS.Timeout | undefined;

  constructor(limitBytes = SHARED_BYTES) {
    this.#limitBytes = limitBytes;
  }

  add(holder: MemoryHolder): void {
    this.#holders.add(holder);
  }

  remove(holder: MemoryHolder): void {
    this.#holders.delete(holder);
    this.#waiting.delete(holder);
    this.#watched.delete(holder);
  }

  /** @returns false: not now, and `retry` will be called. */
  mayHold(holder: MemoryHolder, moreBytes: number): boolean {
    const wanted = holder.heldBytes + moreBytes - OWN_BYTES;
    if (wanted <= 0) return true;
    let others = 0;
    for (const other of this.#holders) if (other !== holder) others += Math.max(0, other.heldBytes - OWN_BYTES);
    // Alone it waits for nobody; what it may hold at all is limited elsewhere.
    if (others === 0 || others + wanted <= this.#limitBytes) return true;
    this.#waiting.add(holder);
    this.#timer ??= setTimeout(() => this.#tick(), RETRY_MS).unref();
    return false;
  }

  #tick(): void {
    this.#timer = undefined;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    if (waiting.length === 0) return this.#watched.clear();
    this.#cutThoseThatStall();
    for (const holder of waiting) holder.retry();
    // Asked again when they have asked again; else nobody waits any more.
    this.#timer ??= setTimeout(() => this.#tick(), RETRY_MS).unref();
  }

  #cutThoseThatStall(): void {
    const nowMs = performance.now();
    for (const holder of this.#holders) {
      const { movedBytes, pendingBytes } = holder;
      const watch = this.#watched.get(holder);
      if (!holder.waitsForClient || holder.heldBytes <= OWN_BYTES) this.#watched.delete(holder);
      else if (watch === undefined || hasMoved(watch, holder))
        this.#watched.set(holder, { movedBytes, pendingBytes, sinceMs: nowMs });
      else if (nowMs - watch.sinceMs >= MOVE_WITHIN_MS) holder.cut();
      else watch.pendingBytes = Math.max(watch.pendingBytes, pendingBytes);
    }
  }
}

const hasMoved = (since: Watch, { movedBytes, pendingBytes }: MemoryHolder): boolean =>
  Math.max(movedBytes - since.movedBytes, since.pendingBytes - pendingBytes) >= MIN_MOVED_BYTES;
