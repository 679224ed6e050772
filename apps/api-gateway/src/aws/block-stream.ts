import type { IncomingMessage } from 'node:http';
import { BLOCK_BYTES, BlockBuffers, type BlockSource } from '@holdfast/block-wire';
import { promisedChecksum } from './block-head.ts';
import { freeMemory } from './free-memory.ts';

/** What comes is passed on when there is so much of it: each write costs as much as it takes to copy some ten KiB. */
const PIECE_BYTES = 131_072;

/**
 * Bodies are received into memory that is used again. Node gives each piece memory of its own, which is gone with the next small
 * collection if nobody keeps it; kept until the block was answered, it would need a large one every hundred blocks, and those
 * take longer than everything else that is done here.
 */
const buffers = new BlockBuffers(32);

/**
 * The body of a PutSnapshotBlock while it comes. Its client has told its SHA-256, which the host that takes the block proves;
 * so the block passes through here as it comes, and nothing of it is looked at.
 */
export class BlockStream implements BlockSource {
  /** Hexadecimal; what the body has, or it is refused. */
  readonly promisedSha256: string;
  readonly #begin: () => void;
  /** All of it so far: a host that was started anew is told again. Null: nobody has asked for it, or it is over. */
  #block: Buffer<ArrayBuffer> | null = null;
  #receivedBytes = 0;
  /** Of those, as many as the followers were told of. */
  #toldBytes = 0;
  readonly #followers = new Set<{ onPiece: (piece: Buffer) => void; onEnd: (error: Error) => void }>();
  #failure: Error | null = null;
  #received: Promise<void> | null = null;
  #settle: { resolve: () => void; reject: (error: Error) => void } | null = null;

  /**
   * @param checksum SHA-256, base64.
   * @param begin somebody wants the block: what comes is to be put where `target` says, and told by `received`.
   */
  constructor(checksum: string, begin: () => void) {
    this.promisedSha256 = Buffer.from(checksum, 'base64').toString('hex');
    this.#begin = begin;
  }

  /** Null: not a whole block with its checksum, and better looked at whole. */
  static of(request: IncomingMessage): BlockStream | null {
    const { method = '', url = '', headers } = request;
    const checksum = promisedChecksum(method, url, headers);
    if (checksum === null) return null;
    const stream: BlockStream = new BlockStream(checksum, () => stream.#read(request));
    return stream;
  }

  follow(onPiece: (piece: Buffer) => void, onEnd: (error: Error) => void): () => void {
    if (this.#block !== null && this.#toldBytes > 0) onPiece(this.#block.subarray(0, this.#toldBytes));
    if (this.#failure !== null) onEnd(this.#failure);
    const follower = { onPiece, onEnd };
    this.#followers.add(follower);
    void this.#start();
    return () => void this.#followers.delete(follower);
  }

  /** All of it, for whoever has to look at it. @throws Error when the connection breaks before. */
  async whole(): Promise<Buffer> {
    await this.#start();
    return Buffer.from(this.#block?.subarray(0, this.#receivedBytes) ?? []);
  }

  /** The request is answered: nobody follows any more, and the memory is used again. */
  release(): void {
    this.#followers.clear();
    if (this.#block !== null) buffers.giveBack(this.#block);
    this.#block = null;
  }

  /** Where the next bytes go; null: nobody wants them yet, or any more. */
  get target(): Buffer | null {
    return this.#block?.subarray(this.#receivedBytes) ?? null;
  }

  /** So many bytes were put into `target`. */
  received(count: number): void {
    if (this.#block === null) return;
    this.#receivedBytes += count;
    const isWhole = this.#receivedBytes === BLOCK_BYTES;
    if (isWhole || this.#receivedBytes - this.#toldBytes >= PIECE_BYTES) this.#tell();
    if (isWhole) this.#settle?.resolve();
  }

  /** No more comes. */
  fail(error: Error): void {
    this.#failure ??= error;
    for (const { onEnd } of this.#followers) onEnd(error);
    this.#settle?.reject(error);
  }

  #tell(): void {
    const piece = this.#block?.subarray(this.#toldBytes, this.#receivedBytes);
    this.#toldBytes = this.#receivedBytes;
    if (piece !== undefined) for (const { onPiece } of this.#followers) onPiece(piece);
  }

  #start(): Promise<void> {
    if (this.#received !== null) return this.#received;
    this.#received = new Promise<void>((resolve, reject) => (this.#settle = { resolve, reject }));
    this.#received.catch(() => undefined); // Whoever follows is told.
    if (this.#failure !== null) this.#settle?.reject(this.#failure);
    else this.#block = buffers.take();
    this.#begin();
    return this.#received;
  }

  #read(request: IncomingMessage): void {
    request.on('data', (piece: Buffer<ArrayBuffer>) => {
      if (this.#block === null) return;
      piece.copy(this.#block, this.#receivedBytes);
      this.received(piece.length);
      freeMemory(piece);
    });
    const fail = (error: Error) => this.fail(error);
    const onClose = () => fail(new Error('the client went away'));
    request.on('end', () => request.off('close', onClose));
    request.on('error', fail).on('close', onClose);
  }
}

/** A block that is there. */
export const wholeBlock = (bytes: Buffer): BlockSource => ({
  follow: (onPiece) => {
    onPiece(bytes);
    return () => undefined;
  },
});
