import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import {
  BLOCK_SIZE_BYTES,
  BlockDamaged,
  digestOf,
  FolderBlockStore,
  Manifest,
  reEncryptUnits,
  StoreLayout,
  UNITS_PER_BLOCK,
} from '@holdfast/block-store';
import type { SectorCipher } from '@holdfast/crypto/xts';
import { type BlockTicket, openBlockTicket, seal, TICKET_KEY_BYTES } from '@holdfast/sealing';
import type { HostParams } from '../host-protocol.ts';
import { HOST_ERRORS } from '../host-protocol.ts';
import { messageOf, type Peer, PeerError } from '../ipc.ts';
import { openDataKey } from './data-keys.ts';
import { OpenUploads } from './open-uploads.ts';

/** A session's keys are forgotten after so many milliseconds without a block. */
const SESSION_IDLE_MS = 60_000;
const SWEEP_MS = 5_000;
/** Each holds a block in memory. */
const MAX_CONNECTIONS = 256;
const KEEP_ALIVE_TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 60_000;

interface Session {
  readonly snapshotId: string;
  readonly operation: 'get' | 'put';
  readonly accountId: string;
  readonly ticketKey: Buffer;
  readonly cipher: SectorCipher | null;
  /** What blocks are read by; null: they are put. */
  readonly manifest: Manifest | null;
  lastUsedMs: number;
  /** Blocks on their way. */
  active: number;
}

/** What a request is refused with: `code` is for the gateway, which has AWS's words for it. */
class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Blocks of snapshots one by one over HTTP, for EBS direct: `PUT` and `GET /blocks`, header `x-holdfast-ticket`. The ticket
 * says which block; there is nothing else to choose. Plaintext data keys are only in this process.
 */
export class BlockServer {
  readonly #peer: Peer;
  readonly #layout: StoreLayout;
  readonly #store: FolderBlockStore;
  readonly #uploads: OpenUploads;
  readonly #sessions = new Map<string, Session>();
  readonly #server: Server;
  readonly #sweep: NodeJS.Timeout;

  private constructor(peer: Peer, root: string) {
    this.#peer = peer;
    this.#layout = new StoreLayout(root);
    this.#store = new FolderBlockStore(this.#layout.blocks);
    this.#uploads = new OpenUploads(this.#layout, this.#store);
    this.#server = createServer((request, response) => void this.#serve(request, response));
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.keepAliveTimeout = KEEP_ALIVE_TIMEOUT_MS;
    this.#server.requestTimeout = REQUEST_TIMEOUT_MS;
    this.#sweep = setInterval(() => this.#forgetIdle(), SWEEP_MS).unref();
  }

  static async listen(
    peer: Peer,
    { root, listen }: HostParams<'ServeBlocks'>,
  ): Promise<{ server: BlockServer; port: number | null }> {
    const server = new BlockServer(peer, root);
    if ('path' in listen && existsSync(listen.path)) rmSync(listen.path); // Of a process that was killed.
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject).listen(listen, resolve);
    });
    if ('path' in listen) chmodSync(listen.path, 0o600);
    const address = server.#server.address();
    return { server, port: typeof address === 'object' ? (address?.port ?? null) : null };
  }

  /** @returns the key of the session's tickets, sealed. @throws PeerError KmsKeyUnusable, WrongDataKey, SnapshotNotFound, UploadClosed */
  async openSession(params: HostParams<'OpenBlockSession'>): Promise<{ sealedTicketKey: string }> {
    const { sessionId, snapshotId, operation, accountId, slot, publicKey } = params;
    const manifest = operation === 'get' ? this.#manifest(snapshotId) : null;
    const header = manifest?.header ?? this.#uploads.open(snapshotId).header;
    if ((header.dataKey !== null) !== (slot !== undefined)) {
      throw new PeerError('EncryptionMismatch', 'the snapshot is not encrypted as the caller says');
    }
    const key = slot === undefined ? null : await openDataKey(this.#peer, slot, header.dataKey?.keyCheck);
    const ticketKey = randomBytes(TICKET_KEY_BYTES);
    const lastUsedMs = performance.now();
    const cipher = key?.cipher ?? null;
    this.#sessions.set(sessionId, {
      ...{ snapshotId, operation, accountId, ticketKey, cipher, manifest, lastUsedMs },
      active: 0,
    });
    return { sealedTicketKey: await seal(publicKey, ticketKey, sessionId) };
  }

  /** Every block that was answered is in the journal afterwards, and none comes any more. */
  async closeBlocks(snapshotId: string): Promise<void> {
    for (const [sessionId, session] of this.#sessions) {
      if (session.snapshotId === snapshotId) this.#forget(sessionId, session);
    }
    await this.#uploads.close(snapshotId);
  }

  async close(): Promise<void> {
    clearInterval(this.#sweep);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
    for (const [sessionId, session] of this.#sessions) this.#forget(sessionId, session);
    await this.#uploads.closeAll();
  }

  #manifest(snapshotId: string): Manifest {
    const paths = this.#layout.snapshot(snapshotId);
    if (!existsSync(paths.manifest) || existsSync(paths.removed)) {
      throw new PeerError(HOST_ERRORS.snapshotNotFound, `snapshot ${snapshotId} is not on this host`);
    }
    return Manifest.read(paths.manifest);
  }

  #forget(sessionId: string, session: Session): void {
    this.#sessions.delete(sessionId);
    session.ticketKey.fill(0);
    // A block that is being encrypted or decrypted right now does so in one turn of the event loop.
    session.cipher?.destroy();
  }

  #forgetIdle(): void {
    const before = performance.now() - SESSION_IDLE_MS;
    for (const [sessionId, session] of this.#sessions) {
      if (session.active === 0 && session.lastUsedMs < before) this.#forget(sessionId, session);
    }
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const { session, ticket } = this.#admit(request);
      session.active++;
      try {
        if (ticket.operation === 'put') await this.#put(request, response, session, ticket);
        else await this.#get(response, session, ticket);
      } finally {
        session.active--;
        session.lastUsedMs = performance.now();
      }
    } catch (error) {
      this.#refuse(response, error);
    }
  }

  #admit({ method, url, headers }: IncomingMessage): { session: Session; ticket: BlockTicket } {
    const operation = method === 'PUT' ? 'put' : method === 'GET' ? 'get' : undefined;
    const text = headers['x-holdfast-ticket'];
    if (url !== '/blocks' || operation === undefined) throw new Refused(404, 'NoSuchRoute', 'PUT or GET /blocks');
    const keyOf = (sessionId: string) => this.#sessions.get(sessionId)?.ticketKey;
    const ticket = typeof text === 'string' ? openBlockTicket(text, keyOf, Date.now()) : null;
    const session = ticket === null ? undefined : this.#sessions.get(ticket.sessionId);
    const fits =
      ticket?.operation === operation &&
      session?.operation === operation &&
      session.snapshotId === ticket.snapshotId &&
      session.accountId === ticket.accountId;
    if (ticket === null || session === undefined || !fits) {
      throw new Refused(401, 'TicketRefused', 'the ticket is not valid here');
    }
    return { session, ticket };
  }

  async #put(request: IncomingMessage, response: ServerResponse, session: Session, ticket: BlockTicket): Promise<void> {
    const { snapshotId, blockIndex } = ticket;
    const bytes = await readBlock(request);
    const checksum = await digestOf(bytes);
    if (checksum.toString('base64') !== ticket.checksum) {
      throw new Refused(403, 'ChecksumMismatch', checksum.toString('base64'));
    }
    if (session.cipher !== null) {
      this.#needSession(ticket);
      reEncryptUnits(null, session.cipher, bytes, blockIndex * UNITS_PER_BLOCK);
    }
    const digest = session.cipher === null ? checksum : await digestOf(bytes);
    await this.#uploads.put(snapshotId, blockIndex, { stored: bytes, digest, checksum });
    this.#peer.notify('BlockPut', { snapshotId, progress: ticket.progress ?? null });
    response.writeHead(201, { 'content-length': 0 }).end();
  }

  async #get(response: ServerResponse, { manifest, cipher }: Session, ticket: BlockTicket): Promise<void> {
    const digest = manifest?.digest(ticket.blockIndex);
    if (digest === undefined) throw new Refused(404, 'NoSuchBlock', 'the snapshot has no such block');
    const bytes = await this.#store.get(digest);
    if (cipher !== null) {
      this.#needSession(ticket);
      reEncryptUnits(cipher, null, bytes, ticket.blockIndex * UNITS_PER_BLOCK);
    }
    const checksum = cipher === null ? digest : await digestOf(bytes);
    response.writeHead(200, {
      'content-length': bytes.length,
      'content-type': 'application/octet-stream',
      'x-holdfast-checksum': checksum.toString('base64'),
    });
    response.end(bytes);
  }

  /** While its block came, the session may have ended and its key with it. */
  #needSession({ sessionId }: BlockTicket): void {
    if (!this.#sessions.has(sessionId)) throw new Refused(401, 'TicketRefused', 'the session has ended');
  }

  #refuse(response: ServerResponse, error: unknown): void {
    const known =
      error instanceof Refused
        ? error
        : error instanceof PeerError
          ? new Refused(409, error.code, error.message)
          : new Refused(500, error instanceof BlockDamaged ? 'BlockDamaged' : 'Failed', messageOf(error));
    if (known.status === 500) this.#peer.notify('Log', { level: 'error', message: `a block: ${known.message}` });
    if (response.headersSent || response.destroyed) return void response.destroy();
    const body = JSON.stringify({ code: known.code, message: known.message });
    response.writeHead(known.status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
    response.end(body);
  }
}

/** @throws Refused when it is not exactly one block. */
const readBlock = async (request: IncomingMessage): Promise<Buffer<ArrayBuffer>> => {
  const bytes = Buffer.allocUnsafeSlow(BLOCK_SIZE_BYTES);
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    if (length + chunk.length > bytes.length) throw new Refused(400, 'WrongLength', 'more than a block');
    chunk.copy(bytes, length);
    length += chunk.length;
  }
  if (length !== bytes.length) throw new Refused(400, 'WrongLength', `${String(length)} bytes`);
  return bytes;
};
