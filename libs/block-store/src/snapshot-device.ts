import type { Extent } from '@holdfast/nbd';
import type { BlockDevice, SectorCipher } from './block-device.ts';
import type { BlockStore } from './block-store.ts';
import { reEncryptUnits } from './encrypted-device.ts';
import { assertRange, BLOCK_SIZE_BYTES, GIB, UNITS_PER_BLOCK } from './geometry.ts';
import type { Manifest } from './manifest.ts';

/** Blocks kept as plaintext, for the next part of them: 16 MiB. */
const KEPT_BLOCKS = 32;
/** Blocks one answer about allocation looks at. */
const EXTENT_BLOCKS = 65_536;

/**
 * A completed snapshot, read as a device of its volume's size. Each block is held to its digest before any of it is served: a
 * damaged or missing one is an error (EIO), never other bytes.
 */
export class SnapshotDevice implements BlockDevice {
  readonly readOnly = true;
  readonly #manifest: Manifest;
  readonly #store: Pick<BlockStore, 'get'>;
  readonly #cipher: SectorCipher | null;
  /** In the order of their last use. */
  readonly #kept = new Map<number, Promise<Buffer>>();

  /** @param cipher null: the snapshot is not encrypted. It is the caller's to destroy, after `forget`. */
  constructor(manifest: Manifest, store: Pick<BlockStore, 'get'>, cipher: SectorCipher | null) {
    this.#manifest = manifest;
    this.#store = store;
    this.#cipher = cipher;
  }

  get sizeBytes(): number {
    return this.#manifest.header.sizeGiB * GIB;
  }

  async read(offsetBytes: number, target: Buffer): Promise<void> {
    assertRange(offsetBytes, target.length, this.sizeBytes);
    for (let at = 0; at < target.length;) {
      const block = Math.floor((offsetBytes + at) / BLOCK_SIZE_BYTES);
      const from = offsetBytes + at - block * BLOCK_SIZE_BYTES;
      const part = target.subarray(at, at + Math.min(BLOCK_SIZE_BYTES - from, target.length - at));
      const digest = this.#manifest.digest(block);
      if (digest === undefined) part.fill(0);
      else (await this.#block(block, digest)).copy(part, 0, from, from + part.length);
      at += part.length;
    }
  }

  extents(offsetBytes: number, lengthBytes: number): readonly Extent[] {
    assertRange(offsetBytes, lengthBytes, this.sizeBytes);
    const found: Extent[] = [];
    const end = offsetBytes + lengthBytes;
    for (let at = offsetBytes, looked = 0; at < end && looked < EXTENT_BLOCKS; looked++) {
      const block = Math.floor(at / BLOCK_SIZE_BYTES);
      const stop = Math.min(end, (block + 1) * BLOCK_SIZE_BYTES);
      const state = this.#manifest.digest(block) === undefined ? 'zero' : 'data';
      const last = found.at(-1);
      if (last?.state === state) found[found.length - 1] = { lengthBytes: last.lengthBytes + stop - at, state };
      else found.push({ lengthBytes: stop - at, state });
      at = stop;
    }
    return found;
  }

  /** What was decrypted is overwritten. */
  forget(): void {
    for (const block of this.#kept.values()) {
      block.then(
        (bytes) => bytes.fill(0),
        () => undefined,
      );
    }
    this.#kept.clear();
  }

  flush(): Promise<void> {
    return Promise.resolve();
  }

  write(): never {
    throw refused();
  }

  trim(): never {
    throw refused();
  }

  writeZeroes(): never {
    throw refused();
  }

  #block(index: number, digest: Buffer): Promise<Buffer> {
    const kept = this.#kept.get(index) ?? this.#fetch(index, digest);
    this.#kept.delete(index);
    this.#kept.set(index, kept);
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_BLOCKS) break;
      this.#kept.delete(oldest);
    }
    kept.catch(() => this.#kept.delete(index)); // It is asked for again, and may be whole by then.
    return kept;
  }

  async #fetch(index: number, digest: Buffer): Promise<Buffer> {
    const bytes = await this.#store.get(digest);
    reEncryptUnits(this.#cipher, null, bytes, index * UNITS_PER_BLOCK);
    return bytes;
  }
}

const refused = (): Error => Object.assign(new Error('a snapshot never changes'), { code: 'EPERM' });
