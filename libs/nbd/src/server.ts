import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Connection, type ConnectionContext } from './connection.ts';
import type { ExportBackend } from './export-backend.ts';
import { SlabPool } from './output.ts';
import { SharedMemory } from './shared-memory.ts';
import { StatsCounter, type NbdStats } from './stats.ts';
import type { ShutDown } from './transmission.ts';
import { listenOnUnixSocket } from './unix-socket.ts';
import { MAX_PAYLOAD_BYTES } from './wire.ts';

export interface NbdServerOptions {
  /** Where to listen: a unix socket, or TCP on one address (port 0: any free one). */
  readonly listen: { readonly socketPath: string } | { readonly host: string; readonly port: number };
  /** @returns the export of that name, null if there is none; the default export's name is empty. */
  readonly exports: (name: string) => ExportBackend | null;
  /** What LIST answers; default: the default export if there is one. */
  readonly exportNames?: () => readonly string[];
  readonly describe?: (name: string) => string | null;
  readonly maxConnections?: number;
  readonly handshakeTimeoutMs?: number;
  /** Largest READ and WRITE, from 1 byte to 32 MiB (the default). */
  readonly maxPayloadBytes?: number;
  /** Bytes that one connection may hold in memory before the server stops reading from it. */
  readonly maxBytesInFlight?: number;
  /** Bytes that all connections together may hold beyond one MiB each (default 256 MiB); one alone is not held to it. */
  readonly maxSharedBytes?: number;
  readonly onConnectionError?: (error: Error) => void;
}

export interface NbdServer {
  /** As Node's `server.address()`: the port chosen, or the socket's path. */
  readonly address: AddressInfo | string;
  stats(): NbdStats;
  /**
   * Stops accepting and beginning requests, finishes those under way, flushes the exports in use, and ends the connections.
   * A client that does not take its answers is waited for during half of `graceMs` (default 10 s).
   * @param options `toReturn`: another server will take this one's place, so what comes too late gets no answer, and a client
   * that connects again and repeats it sees no error; by default it is refused with ESHUTDOWN.
   * @throws what a flush threw, with everything closed; Error when that took longer than `graceMs`: then the
   * connections are cut, and requests may still be with the backend.
   */
  close(options?: { graceMs?: number; toReturn?: boolean }): Promise<void>;
}

const DEFAULT_MAX_CONNECTIONS = 64;
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;
const DEFAULT_GRACE_MS = 10_000;
const KEPT_SLABS = 64;

/**
 * Serves exports over NBD until closed. Nothing a client sends ends more than its own connection.
 * @throws Error when the address can't be listened on.
 */
export const serveNbd = async (options: NbdServerOptions): Promise<NbdServer> => {
  const maxPayloadBytes = options.maxPayloadBytes ?? MAX_PAYLOAD_BYTES;
  if (!Number.isInteger(maxPayloadBytes) || maxPayloadBytes < 1 || maxPayloadBytes > MAX_PAYLOAD_BYTES) {
    throw new RangeError(`maxPayloadBytes must be from 1 to ${MAX_PAYLOAD_BYTES}, not ${maxPayloadBytes}`);
  }
  const maxBytesInFlight = options.maxBytesInFlight ?? MAX_PAYLOAD_BYTES;
  if (!(maxBytesInFlight > 0)) throw new RangeError(`maxBytesInFlight must be positive, not ${maxBytesInFlight}`);
  const defaultNames = () => (options.exports('') === null ? [] : ['']);
  const context: ConnectionContext = {
    catalogue: {
      open: options.exports,
      names: options.exportNames ?? defaultNames,
      describe: options.describe ?? (() => null),
    },
    slabs: new SlabPool(KEPT_SLABS),
    memory: new SharedMemory(options.maxSharedBytes),
    stats: new StatsCounter(),
    maxPayloadBytes,
    maxBytesInFlight,
    handshakeTimeoutMs: options.handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS,
    onConnectionError: options.onConnectionError ?? (() => undefined),
  };
  const running = new RunningServer(context, options.maxConnections ?? DEFAULT_MAX_CONNECTIONS);
  await running.listen(options.listen);
  return running;
};

class RunningServer implements NbdServer {
  readonly #context: ConnectionContext;
  readonly #maxConnections: number;
  readonly #listener: Server;
  readonly #connections = new Set<Connection>();
  #socketPath: string | null = null;
  #closed: Promise<void> | null = null;

  constructor(context: ConnectionContext, maxConnections: number) {
    this.#context = context;
    this.#maxConnections = maxConnections;
    this.#listener = createServer({ pauseOnConnect: true, allowHalfOpen: true, noDelay: true, keepAlive: true });
    this.#listener.on('connection', (socket) => this.#accept(socket));
  }

  get address(): AddressInfo | string {
    return this.#socketPath ?? this.#listener.address() ?? '';
  }

  async listen(where: NbdServerOptions['listen']): Promise<void> {
    if ('socketPath' in where) {
      await listenOnUnixSocket(this.#listener, where.socketPath);
      this.#socketPath = where.socketPath;
    } else {
      this.#listener.listen(where.port, where.host);
      await once(this.#listener, 'listening');
    }
  }

  stats(): NbdStats {
    return this.#context.stats.snapshot();
  }

  close({ graceMs = DEFAULT_GRACE_MS, toReturn = false }: { graceMs?: number; toReturn?: boolean } = {}) {
    this.#closed ??= this.#close(graceMs, toReturn ? 'to-return' : 'for-good');
    return this.#closed;
  }

  #accept(socket: Socket): void {
    const { stats } = this.#context;
    const isFull = this.#connections.size >= this.#maxConnections;
    if (this.#closed !== null || (isFull && !this.#makeRoom())) {
      stats.connectionsRefused += 1;
      socket.on('error', () => undefined).destroy();
      return;
    }
    const connection = new Connection(socket, this.#context);
    this.#connections.add(connection);
    stats.connections += 1;
    stats.connectionsTotal += 1;
    void connection.ended.then(() => {
      this.#connections.delete(connection);
      stats.connections -= 1;
    });
  }

  /** Whoever connects and says nothing keeps nobody out: the one that has been in its handshake for longest gives way. */
  #makeRoom(): boolean {
    for (const connection of this.#connections) {
      if (connection.exported !== null) continue;
      this.#connections.delete(connection);
      connection.giveWay();
      return true;
    }
    return false;
  }

  async #close(graceMs: number, how: ShutDown): Promise<void> {
    const connections = [...this.#connections];
    this.#listener.close();
    const orderly = this.#closeInOrder(connections, how);
    orderly.catch(() => undefined); // When the time is up first, its outcome has no one left to tell.
    let timer: NodeJS.Timeout | undefined;
    const timeUp = new Promise<'time-up'>((resolve) => (timer = setTimeout(resolve, graceMs, 'time-up')));
    const halfTime = setTimeout(() => {
      for (const connection of connections) if (!connection.hasRequestsUnderWay) connection.destroy();
    }, graceMs / 2);
    try {
      if ((await Promise.race([orderly, timeUp])) !== 'time-up') return;
    } finally {
      clearTimeout(timer);
      clearTimeout(halfTime);
    }
    const busy = connections.filter((connection) => connection.hasRequestsUnderWay).length;
    connections.forEach((connection) => connection.destroy());
    throw new Error(`the NBD server was cut off after ${graceMs} ms; ${busy} connections had requests under way`);
  }

  async #closeInOrder(connections: readonly Connection[], how: ShutDown): Promise<void> {
    const backends = new Set(connections.flatMap(({ exported }) => (exported === null ? [] : [exported.backend])));
    const idle = Promise.all(connections.map((connection) => connection.shutDown(how)));
    if (this.#socketPath !== null) await rm(this.#socketPath, { force: true });
    try {
      await idle;
      await Promise.all([...backends].map((backend) => (backend.readOnly ? undefined : backend.flush())));
    } finally {
      connections.forEach((connection) => connection.end());
      await Promise.all(connections.map((connection) => connection.ended));
    }
  }
}
