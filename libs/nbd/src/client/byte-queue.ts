import type { Readable } from 'node:stream';
import { MAX_PAYLOAD_BYTES } from '../wire.ts';

/** Bytes of a stream, taken in the lengths that a protocol dictates. One taker at a time. */
export class ByteQueue {
  private readonly chunks: Buffer[] = [];
  private availableBytes = 0;
  private ended: Error | null = null;
  private wake: (() => void) | null = null;

  constructor(stream: Readable) {
    stream.on('data', (chunk: Buffer) => {
      this.chunks.push(chunk);
      this.availableBytes += chunk.length;
      this.wake?.();
    });
    const end = (error?: Error) => {
      this.ended ??= error ?? new Error('the connection ended');
      this.wake?.();
    };
    stream.on('error', end);
    stream.on('close', () => end());
  }

  /** Waits for exactly `lengthBytes`. @throws the stream's error, or Error when it ends before. */
  async take(lengthBytes: number): Promise<Buffer> {
    if (lengthBytes > MAX_PAYLOAD_BYTES) throw new RangeError(`a message of ${String(lengthBytes)} bytes`);
    while (this.availableBytes < lengthBytes) {
      if (this.ended) throw this.ended;
      await new Promise<void>((resolve) => (this.wake = resolve));
      this.wake = null;
    }
    return this.cut(lengthBytes);
  }

  private cut(lengthBytes: number): Buffer {
    const parts: Buffer[] = [];
    for (let missing = lengthBytes; missing > 0;) {
      const first = this.chunks[0];
      if (first === undefined) throw new Error('fewer bytes than were counted');
      const part = first.subarray(0, missing);
      parts.push(part);
      missing -= part.length;
      if (part.length === first.length) this.chunks.shift();
      else this.chunks[0] = first.subarray(part.length);
    }
    this.availableBytes -= lengthBytes;
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts, lengthBytes);
  }
}
