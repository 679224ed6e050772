import type { ExportBackend, Extent } from '../export-backend.ts';

const UNIT_BYTES = 4096;
const ZEROS = Buffer.alloc(UNIT_BYTES);

/** An export in memory that knows which of its writes would survive a loss of power. */
export class MemoryBackend implements ExportBackend {
  readonly bytes: Buffer;
  readonly readOnly: boolean;
  readonly fastZeroes = true;
  /** What `flush` has made durable. */
  readonly durable: Buffer;
  flushes = 0;

  constructor(sizeBytes: number, { readOnly = false } = {}) {
    this.bytes = Buffer.alloc(sizeBytes);
    this.durable = Buffer.alloc(sizeBytes);
    this.readOnly = readOnly;
  }

  get sizeBytes(): number {
    return this.bytes.length;
  }

  read(offsetBytes: number, target: Buffer): void | Promise<void> {
    this.bytes.copy(target, 0, offsetBytes, offsetBytes + target.length);
  }

  write(offsetBytes: number, data: Buffer): void | Promise<void> {
    data.copy(this.bytes, offsetBytes);
    data.fill(0xee); // As an encrypting backend, which works in place.
  }

  async flush(): Promise<void> {
    this.flushes += 1;
    this.bytes.copy(this.durable);
    await Promise.resolve();
  }

  trim(offsetBytes: number, lengthBytes: number): void | Promise<void> {
    this.bytes.fill(0, offsetBytes, offsetBytes + lengthBytes);
  }

  writeZeroes(offsetBytes: number, lengthBytes: number): void | Promise<void> {
    this.bytes.fill(0, offsetBytes, offsetBytes + lengthBytes);
  }

  extents(offsetBytes: number, lengthBytes: number): readonly Extent[] | Promise<readonly Extent[]> {
    const found: Extent[] = [];
    for (let at = offsetBytes; at < offsetBytes + lengthBytes;) {
      const end = Math.min((Math.floor(at / UNIT_BYTES) + 1) * UNIT_BYTES, offsetBytes + lengthBytes);
      const isZero = ZEROS.compare(this.bytes, at, end, 0, end - at) === 0;
      found.push({ lengthBytes: end - at, state: isZero ? 'zero' : 'data' });
      at = end;
    }
    return found;
  }
}
