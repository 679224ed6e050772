import { existsSync } from 'node:fs';
import { type BlockStore, BlockUpload, readUpload, type StoreLayout } from '@holdfast/block-store';
import { HOST_ERRORS } from '../host-protocol.ts';
import { PeerError } from '../ipc.ts';

interface Open {
  readonly upload: BlockUpload;
  /** Blocks that are being put: two writers of one block at once are refused. */
  readonly busy: Set<number>;
}

/** Uploads whose blocks this process takes: the only one that has their journals open. */
export class OpenUploads {
  readonly #layout: StoreLayout;
  readonly #store: BlockStore;
  readonly #open = new Map<string, Open>();
  /** Blocks that are still on their way into these go into journals that nobody else may have open. */
  readonly #closing = new Map<string, Promise<void>>();

  constructor(layout: StoreLayout, store: BlockStore) {
    this.#layout = layout;
    this.#store = store;
  }

  /** @throws PeerError UploadClosed: it is complete, about to be, or was never begun. */
  async open(snapshotId: string): Promise<BlockUpload> {
    await this.#closing.get(snapshotId)?.catch(() => undefined);
    const present = this.#open.get(snapshotId);
    if (present !== undefined) return present.upload;
    const paths = this.#layout.snapshot(snapshotId);
    if (!existsSync(paths.job) || existsSync(paths.failed) || existsSync(paths.removed)) throw closed(snapshotId);
    const { header, completion } = readUpload(paths);
    if (completion !== null) throw closed(snapshotId);
    const upload = new BlockUpload(paths, header, this.#store);
    this.#open.set(snapshotId, { upload, busy: new Set() });
    return upload;
  }

  /** @throws PeerError UploadClosed, ConflictingBlockUpdate */
  async put(
    snapshotId: string,
    block: number,
    { stored, digest, checksum }: { stored: Uint8Array; digest: Buffer; checksum: Buffer },
  ): Promise<void> {
    const open = this.#open.get(snapshotId);
    if (open === undefined) throw closed(snapshotId);
    if (open.busy.has(block)) throw new PeerError('ConflictingBlockUpdate', `block ${String(block)} is being put`);
    open.busy.add(block);
    try {
      await open.upload.put(block, stored, digest, checksum);
    } finally {
      open.busy.delete(block);
    }
  }

  /** Settles when what was being put is in the journal, whoever began to close it. */
  async close(snapshotId: string): Promise<void> {
    const open = this.#open.get(snapshotId);
    if (open === undefined) return this.#closing.get(snapshotId);
    this.#open.delete(snapshotId);
    const closing = open.upload.close().finally(() => this.#closing.delete(snapshotId));
    this.#closing.set(snapshotId, closing);
    await closing;
  }

  async closeAll(): Promise<void> {
    await Promise.all([...this.#open.keys(), ...this.#closing.keys()].map((snapshotId) => this.close(snapshotId)));
  }
}

const closed = (snapshotId: string): PeerError =>
  new PeerError(HOST_ERRORS.uploadClosed, `snapshot ${snapshotId} takes no blocks`);
