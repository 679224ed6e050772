import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { createSecureContext, createServer as createTlsServer, type PeerCertificate, type TLSSocket } from 'node:tls';
import { NbdProtocolError } from './export-backend.ts';
import { isRevoked } from './revocation.ts';
import { type FrontStep, TlsFrontHandshake } from './tls-front-handshake.ts';

/** PEM. */
export interface TlsMaterial {
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
  /** Of clients' certificates; a client without one of these is not served. */
  readonly ca: string | Buffer;
  /** Revocation lists of these authorities: whoever is on one is not served any more, and nobody new once a list has expired. */
  readonly crl?: string | Buffer | undefined;
}

/** @throws Error when a certificate, a key or a list can't be used, or certificate and key do not belong together. */
export const checkTlsMaterial = (material: TlsMaterial): void => {
  createSecureContext(material);
};

export interface TlsFrontOptions {
  readonly listen: { readonly host: string; readonly port: number };
  /** Asked with each connection and every few seconds, so that certificates can be replaced while others go on. */
  readonly tls: () => TlsMaterial;
  /**
   * @param identities what the client's certificate is for: its common name and its DNS names.
   * @returns the unix socket on which that export is served under its name, null: there is none for this client.
   */
  readonly locate: (name: string, identities: readonly string[]) => Promise<string | null>;
  readonly maxConnections?: number;
  /** Until an export is chosen. */
  readonly handshakeTimeoutMs?: number;
  readonly onConnectionError?: (error: Error) => void;
}

export interface TlsFront {
  readonly address: AddressInfo;
  close(): Promise<void>;
}

const DEFAULT_MAX_CONNECTIONS = 256;
const DEFAULT_HANDSHAKE_TIMEOUT_MS = 10_000;
/** How long one who was revoked is served at most. */
const REVOCATION_MS = 2_000;

/**
 * NBD over TCP, with TLS and certificates of clients always (FORCEDTLS): TLS ends here, and goes on in clear to the unix
 * sockets of this host. Nothing a client sends ends more than its own connection.
 * @throws Error when the address can't be listened on, or a certificate can't be used.
 */
export const serveTlsFront = async (options: TlsFrontOptions): Promise<TlsFront> => {
  const front = new RunningFront(options);
  await front.listen();
  return front;
};

class RunningFront implements TlsFront {
  readonly #options: TlsFrontOptions;
  readonly #listener: Server;
  readonly #sockets = new Set<Socket>();
  /** Serial numbers of the certificates of those who are served. */
  readonly #served = new Map<Socket, string>();
  readonly #timer: NodeJS.Timeout;
  /** The lists that all who are served were held to. */
  #heeded: TlsMaterial['crl'];

  constructor(options: TlsFrontOptions) {
    this.#options = options;
    checkTlsMaterial(options.tls()); // So that what can't be used is refused at the start.
    this.#listener = createServer({ noDelay: true, keepAlive: true });
    this.#listener.on('connection', (socket) => this.#accept(socket));
    this.#timer = setInterval(() => this.#endRevoked(), REVOCATION_MS).unref();
  }

  get address(): AddressInfo {
    return this.#listener.address() as AddressInfo;
  }

  async listen(): Promise<void> {
    const { host, port } = this.#options.listen;
    this.#listener.listen(port, host);
    await once(this.#listener, 'listening');
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const closed = once(this.#listener, 'close');
    this.#listener.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #accept(socket: Socket): void {
    const { maxConnections = DEFAULT_MAX_CONNECTIONS, handshakeTimeoutMs, onConnectionError } = this.#options;
    socket.on('error', () => socket.destroy());
    if (this.#sockets.size >= maxConnections && !this.#makeRoom()) return void socket.destroy();
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    const timer = setTimeout(() => socket.destroy(), handshakeTimeoutMs ?? DEFAULT_HANDSHAKE_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    this.#serve(socket)
      .then((isServed) => isServed && clearTimeout(timer))
      .catch((error: unknown) => {
        socket.destroy();
        onConnectionError?.(error instanceof Error ? error : new Error(String(error)));
      });
  }

  /** Whoever connects and says nothing keeps nobody out: the one that has been in its handshake for longest gives way. */
  #makeRoom(): boolean {
    for (const socket of this.#sockets) {
      if (this.#served.has(socket)) continue;
      this.#sockets.delete(socket);
      socket.destroy();
      return true;
    }
    return false;
  }

  /** @returns whether an export's own server goes on; else the connection is about to end. */
  async #serve(socket: Socket): Promise<boolean> {
    const handshake = new TlsFrontHandshake();
    socket.write(handshake.greeting());
    const clear = await converse(socket, handshake);
    if (clear.kind !== 'start-tls') {
      socket.end(clear.send);
      return false;
    }
    await new Promise<void>((resolve) => socket.write(clear.send, () => resolve()));
    const secure = await this.#secure(socket);
    handshake.secured();
    secure.on('error', () => secure.destroy());
    const certificate = secure.getPeerCertificate();
    const identities = identitiesOf(certificate);
    let step: FrontStep = await converse(secure, handshake);
    for (;;) {
      if (step.kind !== 'export') {
        secure.end(step.send);
        return false;
      }
      const path = await this.#options.locate(step.name, identities);
      if (secure.destroyed) return false;
      if (path !== null) {
        this.#served.set(socket, certificate.serialNumber);
        socket.once('close', () => this.#served.delete(socket));
        this.#heeded = undefined; // The list may have changed since its handshake.
        await join(secure, path, step);
        return true;
      }
      const next = handshake.refuse(step.option);
      if (next.kind === 'more') secure.write(next.send);
      step = next.kind === 'more' ? await converse(secure, handshake) : next;
    }
  }

  /** Those of the connections that are served; one in its handshake was held to the list at its beginning. */
  #endRevoked(): void {
    const { crl } = this.#options.tls();
    if (crl === undefined || crl === this.#heeded) return;
    this.#heeded = crl;
    for (const [socket, serialNumber] of this.#served) if (isRevoked(crl, serialNumber)) socket.destroy();
  }

  /**
   * A server of its own for each connection, which is what Node checks certificates of clients in.
   * @throws Error when the client has no certificate, or not one of ours.
   */
  #secure(socket: Socket): Promise<TLSSocket> {
    const { cert, key, ca, crl } = this.#options.tls();
    const server = createTlsServer({
      cert,
      key,
      ca,
      crl,
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    });
    return new Promise((resolve, reject) => {
      server.once('secureConnection', resolve).once('tlsClientError', reject);
      socket.once('close', () => reject(new NbdProtocolError('ended during the TLS handshake')));
      server.emit('connection', socket);
    });
  }
}

/** Common name and DNS names. */
const identitiesOf = ({ subject, subjectaltname = '' }: PeerCertificate): string[] => {
  // Node types them as always there, and as one text; neither holds.
  const names: unknown = (subject as Partial<PeerCertificate['subject']> | undefined)?.CN;
  const dns = subjectaltname.split(', ').flatMap((name) => (name.startsWith('DNS:') ? [name.slice(4)] : []));
  return [...(Array.isArray(names) ? (names as string[]) : typeof names === 'string' ? [names] : []), ...dns];
};

/** Answers options until a step has to be taken elsewhere; what comes behind waits in the socket. */
const converse = (socket: Socket, handshake: TlsFrontHandshake): Promise<Exclude<FrontStep, { kind: 'more' }>> =>
  new Promise((resolve, reject) => {
    const stop = () => {
      socket.pause().off('data', onData).off('close', onClose).off('end', onClose);
    };
    const onClose = () => {
      stop();
      resolve({ kind: 'end', send: Buffer.alloc(0) });
    };
    const onData = (chunk: Buffer) => {
      try {
        const step = handshake.receive(chunk);
        if (step.kind === 'more') return void (step.send.length > 0 && socket.write(step.send));
        stop();
        resolve(step);
      } catch (error) {
        stop();
        reject(error as Error);
      }
    };
    socket.on('data', onData).on('close', onClose).on('end', onClose).resume();
  });

/** Lets client and server talk to each other until one of them ends. */
const join = async (client: Socket, path: string, step: FrontStep & { kind: 'export' }): Promise<void> => {
  const server = connect(path);
  server.on('error', () => client.destroy());
  client.on('close', () => server.destroy());
  server.on('close', () => client.end());
  server.write(step.answered);
  await skip(server, step.answerBytes);
  client.write(step.send);
  server.write(step.replay);
  client.pipe(server);
  server.pipe(client);
};

/** Reads answers that the client has had already. @throws NbdProtocolError when they do not come */
const skip = (server: Socket, bytes: number): Promise<void> =>
  new Promise((resolve, reject) => {
    let left = bytes;
    const onData = (chunk: Buffer) => {
      left -= Math.min(left, chunk.length);
      if (left > 0) return;
      server.pause().off('data', onData);
      resolve();
    };
    server.on('data', onData).once('close', () => reject(new NbdProtocolError('the export has ended')));
  });
