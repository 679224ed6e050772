import type { IncomingMessage } from 'node:http';
import { BLOCK_BYTES, BlockBuffers, type BlockSource } from '@holdfast/block-wire';
import { freeMemory } from './free-memory.ts';

const PUT_BLOCK = /^\/snapshots\/[^/?]+\/blocks\/\d+$/;
/** What comes is passed on when there is so much of it: each write costs as much as it takes to copy some ten KiB. */
const PIECE_BYTES = 131_072;
const SHA256_BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * Bodies are copied into memory that is used again. Node gives each piece memory of its own, which is gone with the next small
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
  readonly #request: IncomingMessage;
  /** All of it so far: a host that was started anew is told again. Null: nobody has asked for it, or it is over. */
  #block: Buffer<ArrayBuffer> | null = null;
  #receivedBytes = 0;
  /** Of those, as many as the followers were told of. */
  #toldBytes = 0;
  readonly #followers = new Set<{ onPiece: (piece: Buffer) => void; onEnd: (error: Error) => void }>();
  #failure: Error | null = null;
  #received: Promise<void> | null = null;

  private constructor(request: IncomingMessage, checksum: string) {
    this.#request = request;
    this.promisedSha256 = Buffer.from(checksum, 'base64').toString('hex');
  }

  /** Null: not a whole block with its checksum, and better looked at whole. */
  static of(request: IncomingMessage): BlockStream | null {
    const { method, url = '', headers } = request;
    if (method !== 'PUT' || !PUT_BLOCK.test(url)) return null;
    const checksum = headers['x-amz-checksum'];
    const isWhole = headers['content-length'] === String(BLOCK_BYTES) && headers['transfer-encoding'] === undefined;
    if (!isWhole || typeof checksum !== 'string' || !SHA256_BASE64.test(checksum)) return null;
    return new BlockStream(request, checksum);
  }

  follow(onPiece: (piece: Buffer) => void, onEnd: (error: Error) => void): () => void {
    if (this.#block !== null && this.#toldBytes > 0) onPiece(this.#block.subarray(0, this.#toldBytes));
    if (this.#failure !== null) onEnd(this.#failure);
    const follower = { onPiece, onEnd };
    this.#followers.add(follower);
    this.#start();
    return () => void this.#followers.delete(follower);
  }

  /** Whether its client has sent all of it. */
  get hasCome(): boolean {
    return this.#receivedBytes === BLOCK_BYTES;
  }

  /** Whether its client went away before. */
  get isBroken(): boolean {
    return this.#failure !== null;
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

  #tell(): void {
    const piece = this.#block?.subarray(this.#toldBytes, this.#receivedBytes);
    this.#toldBytes = this.#receivedBytes;
    if (piece !== undefined) for (const { onPiece } of this.#followers) onPiece(piece);
  }

  #start(): Promise<void> {
    this.#received ??= new Promise<void>((resolve, reject) => {
      this.#block = buffers.take();
      const fail = (error: Error) => {
        this.#failure ??= error;
        for (const { onEnd } of this.#followers) onEnd(error);
        reject(error);
      };
      this.#request.on('data', (piece: Buffer<ArrayBuffer>) => {
        if (this.#block === null) return;
        this.#receivedBytes += piece.copy(this.#block, this.#receivedBytes);
        freeMemory(piece);
        if (this.#receivedBytes - this.#toldBytes >= PIECE_BYTES || this.#receivedBytes === BLOCK_BYTES) this.#tell();
      });
      this.#request.on('end', () => {
        this.#request.off('close', onClose);
        resolve();
      });
      const onClose = () => fail(new Error('the client went away'));
      this.#request.on('error', fail).on('close', onClose);
      // While it was found out who may, which nobody tells of any more.
      if (this.#request.destroyed) onClose();
    });
    this.#received.catch(() => undefined); // Whoever follows is told.
    return this.#received;
  }
}

/** A block that is there. */
export const wholeBlock = (bytes: Buffer): BlockSource => ({
  follow: (onPiece) => {
    onPiece(bytes);
    return () => undefined;
  },
});
