import { randomBytes } from 'node:crypto';
import { existsSync, rmSync } from 'node:fs';
import {
  BlockDamaged,
  type DirectBlockStore,
  digestOfSync,
  Manifest,
  reEncryptUnits,
  StoreLayout,
  UNITS_PER_BLOCK,
} from '@holdfast/block-store';
import { type Admission, type AnswerHead, type BlockHandler, BlockWireServer } from '@holdfast/block-wire';
import type { SectorCipher } from '@holdfast/crypto/xts';
import { type BlockTicket, openBlockTicket, seal, TICKET_KEY_BYTES } from '@holdfast/sealing';
import type { HostParams } from '../host-protocol.ts';
import { HOST_ERRORS } from '../host-protocol.ts';
import { messageOf, type Peer, PeerError } from '../ipc.ts';
import { hostBlockStore } from './block-store.ts';
import { openDataKey } from './data-keys.ts';
import { OpenUploads } from './open-uploads.ts';

/** A session's keys are forgotten after so many milliseconds without a block. */
const SESSION_IDLE_MS = 60_000;
const SWEEP_MS = 5_000;
/** Each holds a block in memory. */
const MAX_CONNECTIONS = 256;
/** Longer than the gateway keeps a connection that it does not use. */
const CONNECTION_IDLE_MS = 60_000;

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

interface Admitted {
  readonly session: Session;
  readonly ticket: BlockTicket;
}

/** What a request is refused with: `code` is for the gateway, which has AWS's words for it. */
class Refused extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Blocks of snapshots one by one, for EBS direct. The ticket that comes with a request says which block; there is nothing
 * else to choose. Plaintext data keys are only in this process.
 *
 * No guest waits for this event loop, so what takes a fraction of a millisecond is done on it: a block given to another
 * thread is copied first, which costs as much.
 */
export class BlockServer implements BlockHandler<Admitted> {
  readonly #peer: Peer;
  readonly #layout: StoreLayout;
  readonly #store: DirectBlockStore;
  readonly #uploads: OpenUploads;
  readonly #sessions = new Map<string, Session>();
  /** With the progress that its client told last; to be told of. */
  readonly #justPut = new Map<string, number | null>();
  #server: BlockWireServer<Admitted> | null = null;
  readonly #sweep: NodeJS.Timeout;

  private constructor(peer: Peer, root: string) {
    this.#peer = peer;
    this.#layout = new StoreLayout(root);
    this.#store = hostBlockStore(this.#layout, { onLoop: true });
    this.#uploads = new OpenUploads(this.#layout, this.#store);
    this.#sweep = setInterval(() => this.#forgetIdle(), SWEEP_MS).unref();
  }

  static async listen(
    peer: Peer,
    { root, listen }: HostParams<'ServeBlocks'>,
  ): Promise<{ server: BlockServer; port: number | null }> {
    const server = new BlockServer(peer, root);
    if ('path' in listen && existsSync(listen.path)) rmSync(listen.path); // Of a process that was killed.
    const limits = { maxConnections: MAX_CONNECTIONS, idleMs: CONNECTION_IDLE_MS };
    server.#server = await BlockWireServer.listen({ listen, handler: server, ...limits });
    return { server, port: server.#server.port };
  }

  /** @returns the key of the session's tickets, sealed. @throws PeerError KmsKeyUnusable, WrongDataKey, SnapshotNotFound, UploadClosed */
  async openSession(params: HostParams<'OpenBlockSession'>): Promise<{ sealedTicketKey: string }> {
    const { sessionId, snapshotId, operation, accountId, slot, publicKey } = params;
    const manifest = operation === 'get' ? this.#manifest(snapshotId) : null;
    const header = manifest?.header ?? (await this.#uploads.open(snapshotId)).header;
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
    await this.#server?.close();
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

  admit(text: string, hasBlock: boolean): Admission<Admitted> {
    const keyOf = (sessionId: string) => this.#sessions.get(sessionId)?.ticketKey;
    const ticket = openBlockTicket(text, keyOf, Date.now());
    const session = ticket === null ? undefined : this.#sessions.get(ticket.sessionId);
    const operation = hasBlock ? 'put' : 'get';
    const fits =
      ticket?.operation === operation &&
      session?.operation === operation &&
      session.snapshotId === ticket.snapshotId &&
      session.accountId === ticket.accountId;
    return ticket === null || session === undefined || !fits ? TICKET_REFUSED : { admitted: { session, ticket } };
  }

  put(admitted: Admitted, block: Buffer<ArrayBuffer>, sha256: Buffer): Promise<AnswerHead> {
    return this.#answer(admitted, () => this.#put(admitted, block, sha256));
  }

  get(admitted: Admitted, target: Buffer<ArrayBuffer>): Promise<AnswerHead> {
    return this.#answer(admitted, () => this.#get(admitted, target));
  }

  async #answer({ session, ticket }: Admitted, serve: () => Promise<AnswerHead>): Promise<AnswerHead> {
    session.active++;
    try {
      this.#needSession(ticket);
      return await serve();
    } catch (error) {
      return this.#refused(error);
    } finally {
      session.active--;
      session.lastUsedMs = performance.now();
    }
  }

  async #put({ session, ticket }: Admitted, bytes: Buffer<ArrayBuffer>, checksum: Buffer): Promise<AnswerHead> {
    const { snapshotId, blockIndex } = ticket;
    if (checksum.toString('base64') !== ticket.checksum) {
      throw new Refused('ChecksumMismatch', checksum.toString('base64'));
    }
    if (session.cipher !== null) reEncryptUnits(null, session.cipher, bytes, blockIndex * UNITS_PER_BLOCK);
    const digest = session.cipher === null ? checksum : digestOfSync(bytes);
    await this.#uploads.put(snapshotId, blockIndex, { stored: bytes, digest, checksum });
    this.#notePut(snapshotId, ticket.progress ?? null);
    return {};
  }

  async #get({ session, ticket }: Admitted, target: Buffer<ArrayBuffer>): Promise<AnswerHead> {
    const { manifest, cipher } = session;
    const digest = manifest?.digest(ticket.blockIndex);
    if (digest === undefined) throw new Refused('NoSuchBlock', 'the snapshot has no such block');
    await this.#store.getInto(digest, target);
    if (cipher === null) return { checksum: digest.toString('base64') };
    this.#needSession(ticket);
    reEncryptUnits(cipher, null, target, ticket.blockIndex * UNITS_PER_BLOCK);
    return { checksum: digestOfSync(target).toString('base64') };
  }

  /** Blocks that are journalled together are told of together. */
  #notePut(snapshotId: string, progress: number | null): void {
    if (this.#justPut.size === 0) {
      setImmediate(() => {
        for (const [id, last] of this.#justPut) this.#peer.notify('BlockPut', { snapshotId: id, progress: last });
        this.#justPut.clear();
      });
    }
    this.#justPut.set(snapshotId, progress ?? this.#justPut.get(snapshotId) ?? null);
  }

  /** While the block came or was read, the session may have ended and its key with it, or the ticket. */
  #needSession({ sessionId, expiresAtMs }: BlockTicket): void {
    if (!this.#sessions.has(sessionId) || expiresAtMs <= Date.now())
      throw new Refused('TicketRefused', 'the session has ended');
  }

  #refused(error: unknown): AnswerHead {
    if (error instanceof Refused || error instanceof PeerError)
      return { refused: { code: error.code, message: error.message } };
    const code = error instanceof BlockDamaged ? 'BlockDamaged' : 'Failed';
    this.#peer.notify('Log', { level: 'error', message: `a block: ${messageOf(error)}` });
    return { refused: { code, message: messageOf(error) } };
  }
}

const TICKET_REFUSED = { refused: { code: 'TicketRefused', message: 'the ticket is not valid here' } };
