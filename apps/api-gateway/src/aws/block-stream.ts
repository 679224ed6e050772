import type { IncomingMessage } from 'node:http';
import { BLOCK_BYTES, type BlockSource } from '@holdfast/block-wire';

const PUT_BLOCK = /^\/snapshots\/[^/?]+\/blocks\/\d+$/;
const SHA256_BASE64 = /^[A-Za-z0-9+/]{43}=$/;

/**
 * The body of a PutSnapshotBlock while it comes. Its client has told its SHA-256, which the host that takes the block proves;
 * so the block passes through here as it comes, and nothing of it is looked at.
 */
export class BlockStream implements BlockSource {
  /** Hexadecimal; what the body has, or it is refused. */
  readonly promisedSha256: string;
  readonly #request: IncomingMessage;
  /** All of it so far: a host that was started anew is told again. */
  readonly #pieces: Buffer[] = [];
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
    for (const piece of this.#pieces) onPiece(piece);
    if (this.#failure !== null) onEnd(this.#failure);
    const follower = { onPiece, onEnd };
    this.#followers.add(follower);
    this.#start();
    return () => void this.#followers.delete(follower);
  }

  /** All of it, for whoever has to look at it. @throws Error when the connection breaks before. */
  async whole(): Promise<Buffer> {
    await this.#start();
    return Buffer.concat(this.#pieces);
  }

  #start(): Promise<void> {
    this.#received ??= new Promise<void>((resolve, reject) => {
      const fail = (error: Error) => {
        this.#failure ??= error;
        for (const { onEnd } of this.#followers) onEnd(error);
        reject(error);
      };
      this.#request.on('data', (piece: Buffer) => {
        this.#pieces.push(piece);
        for (const { onPiece } of this.#followers) onPiece(piece);
      });
      this.#request.on('end', () => {
        this.#request.off('close', onClose);
        resolve();
      });
      const onClose = () => fail(new Error('the client went away'));
      this.#request.on('error', fail).on('close', onClose);
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
