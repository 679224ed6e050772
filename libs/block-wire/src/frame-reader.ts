import { MAX_JSON_BYTES, REQUEST_HEAD_BYTES, WireError } from './frames.ts';
import type { BlockBuffers } from './block-buffers.ts';

export interface Frame {
  readonly text: string;
  /** The caller gives it back; null: the frame has no body. */
  readonly block: Buffer<ArrayBuffer> | null;
  readonly bodyBytes: number;
}

type Lengths = (bytes: Buffer) => { textBytes: number; bodyBytes: number } | null;

/** As much of a body as may come with a head is copied; the rest is received where it stays. */
const HEAD_ROOM = REQUEST_HEAD_BYTES + MAX_JSON_BYTES;

/**
 * Takes one frame after another off a socket: says into which memory the next bytes are to be received, so that a block is
 * not copied. Frames do not overlap: the next is sent when this one is answered.
 */
export class FrameReader {
  readonly #lengths: Lengths;
  readonly #buffers: BlockBuffers;
  readonly #onHead: ((text: string, bodyBytes: number) => boolean) | undefined;
  readonly #onBody: ((bytes: Buffer) => void) | undefined;
  readonly #head = Buffer.allocUnsafeSlow(HEAD_ROOM);
  #headBytes = 0;
  #block: Buffer<ArrayBuffer> | null = null;
  #text = '';
  #received = 0;
  #bodyBytes = 0;
  #isInBody = false;

  /**
   * @param onHead told when the head is there, before its body; false: the body is not kept.
   * @param onBody told of the body piece by piece, before the frame is complete.
   */
  constructor(
    lengths: Lengths,
    buffers: BlockBuffers,
    {
      onHead,
      onBody,
    }: { onHead?: (text: string, bodyBytes: number) => boolean; onBody?: (bytes: Buffer) => void } = {},
  ) {
    this.#lengths = lengths;
    this.#buffers = buffers;
    this.#onHead = onHead;
    this.#onBody = onBody;
  }

  /** Whether part of a frame has come. */
  get isWithinFrame(): boolean {
    return this.#headBytes > 0 || this.#isInBody;
  }

  /** Where the next bytes go. */
  target(): Buffer {
    if (!this.#isInBody) return this.#head.subarray(this.#headBytes);
    return (this.#block ?? this.#head).subarray(this.#block === null ? 0 : this.#received, this.#room());
  }

  /** So many bytes were received into `target()`. @returns the frame they complete. @throws WireError */
  received(count: number): Frame | null {
    if (this.#isInBody) return this.#bodyReceived(count);
    this.#headBytes += count;
    const bytes = this.#head.subarray(0, this.#headBytes);
    const lengths = this.#lengths(bytes);
    const bodyAt = REQUEST_HEAD_BYTES + (lengths?.textBytes ?? 0);
    if (lengths === null || bytes.length < bodyAt) return null;
    const early = bytes.subarray(bodyAt);
    if (early.length > lengths.bodyBytes) throw new WireError('more than a frame');
    this.#text = bytes.toString('utf8', REQUEST_HEAD_BYTES, bodyAt);
    this.#bodyBytes = lengths.bodyBytes;
    this.#received = 0;
    this.#isInBody = true;
    const isKept = this.#onHead?.(this.#text, lengths.bodyBytes) ?? true;
    if (isKept && lengths.bodyBytes > 0) this.#block = this.#buffers.take();
    if (this.#block !== null) early.copy(this.#block);
    return this.#bodyReceived(early.length);
  }

  /** The connection ended; memory goes back. */
  abandon(): void {
    if (this.#block !== null) this.#buffers.giveBack(this.#block);
    this.#block = null;
  }

  #room(): number {
    return this.#block === null ? Math.min(HEAD_ROOM, this.#bodyBytes - this.#received) : this.#bodyBytes;
  }

  #bodyReceived(count: number): Frame | null {
    if (this.#block !== null) this.#onBody?.(this.#block.subarray(this.#received, this.#received + count));
    this.#received += count;
    if (this.#received < this.#bodyBytes) return null;
    const frame = { text: this.#text, block: this.#block, bodyBytes: this.#bodyBytes };
    this.#block = null;
    this.#headBytes = 0;
    this.#isInBody = false;
    return frame;
  }
}
