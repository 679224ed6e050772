import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BLOCK_SIZE_BYTES, FolderBlockStore, Manifest, SnapshotDevice, StoreLayout } from '@holdfast/block-store';
import { type DataKeyUse, newSnapshotId, type SnapshotId } from '@holdfast/contracts';
import { selectXtsEngine } from '@holdfast/crypto/xts';
import { NbdClient } from '@holdfast/nbd/client';
import { BlockClient, checksumOf } from '../block-client.ts';
import { type TestHost, until } from '../harness.ts';
import type { Content } from './content.ts';
import type { LivingVolume } from './living-volume.ts';
import { placesOf } from './places.ts';

/** A snapshot beside what it should hold. */
export class LivingSnapshot {
  tier: 'blocks' | 'archive' = 'blocks';
  #isComplete = false;

  constructor(
    private readonly host: TestHost,
    readonly key: string | undefined,
    readonly sizeGiB: number,
    readonly content: Content,
    readonly snapshotId: SnapshotId = newSnapshotId(),
    /** Whether it was copied under another key, and what it inherited may be taken over by the next copy. */
    readonly isCopy = false,
    /** The volume that it was taken of. */
    private readonly origin?: LivingVolume,
  ) {}

  /** Whether it is complete, or soon will be. */
  get canComplete(): boolean {
    return this.#isComplete || this.origin?.hasStore !== false;
  }

  get dataKey(): DataKeyUse | undefined {
    return this.key === undefined ? undefined : this.host.kms.use(this.key, this.snapshotId);
  }

  get source() {
    return { snapshotId: this.snapshotId, dataKey: this.dataKey };
  }

  async complete(): Promise<void> {
    if (this.#isComplete) return;
    const { state, reason } = await this.host.settled(this.snapshotId);
    if (state !== 'completed') throw new Error(`${this.snapshotId} is ${state}: ${String(reason)}`);
    this.#isComplete = true;
  }

  /** Straight from the store: its block index, each block's digest, its bytes. */
  async check(when: string): Promise<void> {
    await this.complete();
    if (this.tier === 'archive') return;
    const layout = new StoreLayout(join(this.host.home, 'data-plane'));
    const manifest = Manifest.read(layout.snapshot(this.snapshotId).manifest);
    const cipher = this.key === undefined ? null : selectXtsEngine().engine.createCipher(this.#plaintextKey(this.key));
    const device = new SnapshotDevice(manifest, new FolderBlockStore(layout.blocks), cipher);
    try {
      await this.#compare((offset, target) => device.read(offset, target), when);
    } finally {
      cipher?.destroy();
    }
    const places = placesOf(this.sizeGiB).map(({ offset, length }) => [offset, offset + length] as const);
    for (const [block] of manifest) {
      const at = block * BLOCK_SIZE_BYTES;
      if (!places.some(([from, end]) => at >= from && at < end))
        throw new Error(`${this.snapshotId} ${when}: has block ${block}, where nobody wrote`);
    }
  }

  /** As a device that the data plane serves. */
  async checkExport(): Promise<void> {
    await this.complete();
    const { exportId, socketPath } = await this.host.call('OpenSnapshotExport', this.source);
    const client = await NbdClient.connect(socketPath);
    const read = async (offset: number, target: Buffer) => {
      (await client.read(offset, target.length)).copy(target);
    };
    await this.#compare(read, 'as a device');
    await client.close();
    await this.host.call('CloseSnapshotExport', { exportId });
  }

  /** Block by block, as a client of EBS direct reads it: those that are listed, and nothing where none is. */
  async checkBlocks(): Promise<void> {
    await this.complete();
    const { snapshotId, dataKey } = this;
    const list = await this.host.call('ListBlocks', { snapshotId, startingBlockIndex: 0, limit: 10_000 });
    const listed = new Set(list.blocks.map(([block]) => block));
    const client = await BlockClient.open(this.host, { snapshotId, operation: 'get', dataKey });
    const read = async (offset: number, target: Buffer) => {
      for (let at = 0; at < target.length; at += BLOCK_SIZE_BYTES) {
        const block = (offset + at) / BLOCK_SIZE_BYTES;
        if (!listed.has(block)) continue;
        const { body, code, checksum } = await client.get(block);
        if (code !== undefined || checksum !== checksumOf(body))
          throw new Error(`${snapshotId} does not give block ${block}: ${String(code)}`);
        body.copy(target, at);
      }
    };
    await this.#compare(read, 'block by block');
  }

  async archive(): Promise<void> {
    await this.complete();
    await this.#move('ArchiveSnapshot', 'archive');
    await this.host.call('ReleaseArchive', { snapshotId: this.snapshotId, keep: 'archive' });
    this.tier = 'archive';
  }

  /** @param keep what of the two; an archive that is kept may be gone back to. */
  async restore(keep: 'archive' | 'blocks'): Promise<void> {
    await this.#move('RestoreArchive', 'blocks');
    this.tier = 'blocks';
    await this.check('restored from its archive');
    await this.host.call('ReleaseArchive', { snapshotId: this.snapshotId, keep });
    this.tier = keep;
  }

  async remove(): Promise<void> {
    await this.host.call('RemoveSnapshot', { snapshotId: this.snapshotId });
    const { state } = await this.host.call('GetSnapshotProgress', { snapshotId: this.snapshotId });
    if (state !== 'unknown') throw new Error(`${this.snapshotId} is ${state} although it was removed`);
  }

  get folder(): string {
    return join(this.host.home, 'data-plane', 'snapshots', this.snapshotId);
  }

  get isThere(): boolean {
    return existsSync(this.folder);
  }

  async #move(action: 'ArchiveSnapshot' | 'RestoreArchive', to: 'archive' | 'blocks'): Promise<void> {
    const { snapshotId } = this;
    // Asked for again and again, as its service does: what a crash interrupts is begun anew.
    await until(
      `${snapshotId} is moved`,
      async () => {
        await this.host.call(action, { snapshotId });
        const progress = await this.host.call('GetArchiveProgress', { snapshotId });
        if (progress.failure !== undefined) throw new Error(`${snapshotId}: ${progress.failure}`);
        return progress[to];
      },
      60_000,
    );
  }

  async #compare(read: (offset: number, target: Buffer) => void | Promise<void>, when: string): Promise<void> {
    for (const { offset, length } of placesOf(this.sizeGiB)) {
      const found = Buffer.alloc(length);
      await read(offset, found);
      this.content.check(offset, found, `${this.snapshotId} ${when}`);
    }
  }

  #plaintextKey(key: string): Buffer {
    const found = this.host.kms.keys.get(key);
    if (found === undefined) throw new Error(`nobody made ${key}`);
    return found;
  }
}
