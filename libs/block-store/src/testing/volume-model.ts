import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { BackgroundWork } from '../background.ts';
import type { SectorCipher } from '../block-device.ts';
import { FolderBlockStore } from '../block-store.ts';
import { collectGarbage } from '../garbage.ts';
import { BLOCK_SIZE_BYTES, GIB, UNIT_SIZE_BYTES, UNITS_PER_BLOCK } from '../geometry.ts';
import { GuestDevice } from '../guest-device.ts';
import { StoreLayout } from '../layout.ts';
import { Manifest } from '../manifest.ts';
import { VolumeFile } from '../volume-file.ts';
import { createEmptyVolume, createRestoredVolume } from '../volume-header.ts';
import { FaultyBlockDevice, seededRandom } from './faulty-block-device.ts';
import { testCipher } from './test-cipher.ts';

/** Small enough to look at all of it all the time. */
export const MODEL_BYTES = 5 * BLOCK_SIZE_BYTES;
const SIZE_GIB = MODEL_BYTES / GIB;

const dataKey = { keyArn: 'arn', encryptedDataKey: 'AA==', encryptionContext: {}, dataKeyId: 'k', keyCheck: 'c' };

/**
 * A volume on a faulty disk beside what it should hold, in memory. After a loss of power each unit of 4 KiB may hold what
 * was flushed last or anything written to it since; after `kill -9` it holds what was written.
 */
export class VolumeModel {
  readonly #root = mkdtempSync(join(tmpdir(), 'holdfast-model-'));
  readonly #layout = new StoreLayout(this.#root);
  readonly #disk: FaultyBlockDevice;
  readonly #cipher: SectorCipher | null;
  readonly #random: () => number;
  #content = Buffer.alloc(MODEL_BYTES);
  /** By unit: what a loss of power may leave. */
  #possible = new Map<number, Buffer[]>();
  readonly #snapshots = new Map<string, Buffer>();
  #volumes = 0;
  #boots = 0;
  #nextSnapshot = 1;
  #volume: VolumeFile;
  #device: GuestDevice;
  #background: BackgroundWork;

  constructor(seed: number, encrypted: boolean) {
    this.#disk = new FaultyBlockDevice(seed);
    this.#random = seededRandom(seed + 1);
    this.#cipher = encrypted ? testCipher('model') : null;
    createEmptyVolume(this.#layout, this.#header(null));
    [this.#volume, this.#device, this.#background] = this.#open();
  }

  get completed(): string[] {
    return [...this.#snapshots.keys()].filter((id) => existsSync(this.#layout.snapshot(id).manifest));
  }

  async write(offset: number, length: number): Promise<void> {
    const data = Buffer.alloc(length, 1 + Math.floor(this.#random() * 255));
    for (let at = 0; at < length; at += 97) data[at] = Math.floor(this.#random() * 256);
    this.#expectWrite(offset, data);
    await this.#device.write(offset, Buffer.from(data));
  }

  async zero(offset: number, length: number, mayTrim: boolean): Promise<void> {
    this.#expectWrite(offset, Buffer.alloc(length));
    await this.#device.writeZeroes(offset, length, { mayTrim });
  }

  async flush(): Promise<void> {
    await this.#device.flush();
    this.#possible.clear();
  }

  async read(offset: number, length: number): Promise<void> {
    const found = Buffer.alloc(length);
    await this.#device.read(offset, found);
    expect(found.equals(this.#content.subarray(offset, offset + length)), `read ${offset}+${length}`).toBe(true);
    this.#checkExtents(offset, length);
  }

  async freeze(): Promise<void> {
    const id = this.#newSnapshot();
    await this.#volume.freeze({ snapshotId: id, sizeGiB: SIZE_GIB, dataKey: this.#cipher === null ? null : dataKey });
    this.#snapshots.set(id, Buffer.from(this.#content));
    this.#possible.clear();
  }

  /** A write that comes while the freeze still flushes: it is in the snapshot, and so as durable as that. */
  async freezeWhileWriting(offset: number, length: number): Promise<void> {
    // What must be waited for would come after the freeze's moment, or before it.
    await this.read(offset, length);
    await this.work(1_000);
    const id = this.#newSnapshot();
    const freezing = this.#volume.freeze({
      snapshotId: id,
      sizeGiB: SIZE_GIB,
      dataKey: this.#cipher === null ? null : dataKey,
    });
    const data = Buffer.alloc(length, 1 + Math.floor(this.#random() * 255));
    this.#expectWrite(offset, data);
    expect(this.#device.write(offset, Buffer.from(data))).toBeUndefined();
    await freezing;
    this.#snapshots.set(id, Buffer.from(this.#content));
    this.#possible.clear();
  }

  async work(steps: number): Promise<void> {
    for (let step = 0; step < steps && this.#background.isNeeded; step++) await this.#background.step();
  }

  async saveClean(): Promise<void> {
    await this.#volume.saveClean();
    if (this.#volume.map.isClean) this.#possible.clear();
  }

  /** `kill -9`, while a freeze or a copy may be under way. */
  async kill(during: 'freeze' | 'work' | 'nothing', turns: number): Promise<void> {
    await this.#interrupt(during, turns);
    this.#disk.kill();
    this.#reopen();
    await this.read(0, MODEL_BYTES);
  }

  async cutPower(during: 'freeze' | 'work' | 'nothing', turns: number): Promise<void> {
    await this.#interrupt(during, turns);
    this.#disk.cutPower();
    this.#boots++;
    this.#reopen();
    const found = Buffer.alloc(MODEL_BYTES);
    await this.#device.read(0, found);
    for (let unit = 0; unit < MODEL_BYTES / UNIT_SIZE_BYTES; unit++) {
      const range = [unit * UNIT_SIZE_BYTES, (unit + 1) * UNIT_SIZE_BYTES] as const;
      const now = found.subarray(...range);
      const allowed = [this.#content.subarray(...range), ...(this.#possible.get(unit) ?? [])];
      expect(
        allowed.some((content) => content.equals(now)),
        `unit ${unit} after a loss of power`,
      ).toBe(true);
      // What is there now was read from the disk, and stays.
      this.#possible.delete(unit);
    }
    this.#content = found;
  }

  /** Goes on with a volume restored from a snapshot. */
  async restore(id: string): Promise<void> {
    await this.finish();
    this.#volume.close();
    this.#volumes++;
    createRestoredVolume(this.#layout, this.#header(id), this.#layout.snapshot(id).manifest);
    this.#reopen();
    this.#content = Buffer.from(this.#snapshots.get(id)!);
    this.#possible.clear();
  }

  async remove(id: string): Promise<void> {
    rmSync(this.#layout.snapshot(id).folder, { recursive: true });
    this.#snapshots.delete(id);
    await collectGarbage(this.#layout);
  }

  /** Completes all copies and compares every snapshot. */
  async finish(): Promise<void> {
    while (this.#background.isNeeded) await this.#background.step();
    for (const [id, expected] of this.#snapshots) {
      expect((await this.#contentOf(id)).equals(expected), `content of ${id}`).toBe(true);
    }
  }

  async close(): Promise<void> {
    this.#volume.close();
    rmSync(this.#root, { recursive: true, force: true });
  }

  async #contentOf(id: string): Promise<Buffer> {
    const manifest = Manifest.read(this.#layout.snapshot(id).manifest);
    const content = Buffer.alloc(MODEL_BYTES);
    for (const [block, digest] of manifest) {
      const bytes = await new FolderBlockStore(this.#layout.blocks).get(digest);
      this.#cipher?.decrypt(bytes, 0, bytes.length, block * UNITS_PER_BLOCK);
      bytes.copy(content, block * BLOCK_SIZE_BYTES);
    }
    return content;
  }

  /** What is said to be a hole must read as zeros. */
  #checkExtents(offset: number, length: number): void {
    let at = offset;
    for (const { lengthBytes, state } of this.#device.extents(offset, length)) {
      const range = this.#content.subarray(at, at + lengthBytes);
      if (state === 'zero') expect(range.equals(Buffer.alloc(lengthBytes)), `hole ${at}+${lengthBytes}`).toBe(true);
      at += lengthBytes;
    }
    expect(at).toBe(offset + length);
  }

  async #interrupt(during: 'freeze' | 'work' | 'nothing', turns: number): Promise<void> {
    if (during === 'nothing') return;
    const id = this.#newSnapshot();
    const running =
      during === 'work'
        ? this.work(100)
        : this.#volume.freeze({ snapshotId: id, sizeGiB: SIZE_GIB, dataKey: this.#cipher === null ? null : dataKey });
    running.catch(() => undefined);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    if (during !== 'freeze' || !existsSync(this.#layout.snapshot(id).job)) return;
    this.#snapshots.set(id, Buffer.from(this.#content));
    this.#possible.clear();
  }

  #expectWrite(offset: number, data: Buffer): void {
    const first = Math.floor(offset / UNIT_SIZE_BYTES);
    const last = Math.floor((offset + data.length - 1) / UNIT_SIZE_BYTES);
    for (let unit = first; unit <= last; unit++) {
      const before = Buffer.from(this.#content.subarray(unit * UNIT_SIZE_BYTES, (unit + 1) * UNIT_SIZE_BYTES));
      this.#possible.set(unit, [...(this.#possible.get(unit) ?? []), before]);
    }
    data.copy(this.#content, offset);
  }

  #newSnapshot(): string {
    return `snap-${(this.#nextSnapshot++).toString(16).padStart(8, '0')}`;
  }

  #header(sourceSnapshotId: string | null) {
    const volumeId = `vol-${(this.#volumes + 1).toString(16).padStart(8, '0')}`;
    return {
      format: 1,
      volumeId,
      sizeGiB: SIZE_GIB,
      dataKey: this.#cipher === null ? null : dataKey,
      sourceSnapshotId,
    } as const;
  }

  #open(): [VolumeFile, GuestDevice, BackgroundWork] {
    const { volumeId } = this.#header(null);
    const volume = new VolumeFile({
      layout: this.#layout,
      volumeId,
      sizeGiB: SIZE_GIB,
      store: new FolderBlockStore(this.#layout.blocks),
      openFile: this.#disk.openFile,
      bootId: `boot-${this.#boots}`,
    });
    return [volume, new GuestDevice(volume, this.#cipher), new BackgroundWork(volume, new AbortController().signal)];
  }

  #reopen(): void {
    [this.#volume, this.#device, this.#background] = this.#open();
  }
}
