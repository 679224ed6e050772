import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
// The global of that name is looked up by a function at each use.
import { performance } from 'node:perf_hooks';
import type { BackingFile, OpenFile } from './backing-file.ts';
import { openNodeFile } from './backing-file.ts';
import type { SyncDevice } from './block-device.ts';
import type { BlockStore } from './block-store.ts';
import { makeDirectory, syncDirectory } from './durable-files.ts';
import { discardJobFiles, Freeze } from './freeze.ts';
import { assertRange, BLOCK_SIZE_BYTES, GIB, zeros } from './geometry.ts';
import type { StoreLayout, VolumePaths } from './layout.ts';
import { blockCount, Manifest, type ManifestHeader } from './manifest.ts';
import { ReadPace } from './read-pace.ts';
import { ReadsUnderWay } from './reads-under-way.ts';
import { openVolumeData, VolumeDevice, type VolumeIo } from './volume-data.ts';
import { VolumeMap } from './volume-map.ts';

/** Blocks a snapshot's spill file may hold before the guest's writes wait for the copy: 512 MiB. */
export const DEFAULT_SPILL_BLOCKS = 1_024;

/** Smaller ranges of zeros are written: giving back takes as long for one unit as for many. */
const MIN_PUNCHED_BYTES = 32_768;

export interface VolumeFileOptions {
  readonly layout: StoreLayout;
  readonly volumeId: string;
  readonly sizeGiB: number;
  readonly store: BlockStore;
  readonly openFile?: OpenFile;
  /** Of the data; absent: `buffered`. */
  readonly io?: VolumeIo;
  readonly bootId?: string;
  readonly spillBlocks?: number;
}

/**
 * A volume's bytes as they are stored, ciphertext where it is encrypted: tracks changes, preserves what freezes still
 * need before it is overwritten, fetches missing blocks of the source snapshot. Needs no key. Used by one process, on one
 * event loop: what is synchronous here is atomic.
 */
export class VolumeFile implements SyncDevice {
  readonly paths: VolumePaths;
  readonly store: BlockStore;
  /** Of the disk, without decryption. */
  readonly pace = new ReadPace();
  /** Of the guest, so far: a clock that is asked at each of them would cost as much as all else that is done here. */
  accesses = 0;
  #noticed = { accesses: 0, atMs: -Infinity };
  readonly #options: VolumeFileOptions;
  readonly #openFile: OpenFile;
  #data: BackingFile;
  #map: VolumeMap;
  /** Files that were opened again, for what was still going on with them. */
  readonly #retired: { close(): void }[] = [];
  readonly #freezes: Freeze[] = [];
  readonly #reads = new ReadsUnderWay();
  readonly #spillBlocks: number;
  readonly #fetching = new Map<number, Promise<void>>();
  readonly #roomWaiters: (() => void)[] = [];
  #source: Manifest | null = null;

  constructor(options: VolumeFileOptions) {
    const { layout, volumeId, sizeGiB, store, openFile = openNodeFile, spillBlocks = DEFAULT_SPILL_BLOCKS } = options;
    this.#options = options;
    this.#openFile = openFile;
    this.#spillBlocks = spillBlocks;
    this.paths = layout.volume(volumeId);
    this.store = store;
    this.#data = openVolumeData(openFile, this.paths, volumeId, sizeGiB * GIB, options.io);
    this.#map = this.#openMap(sizeGiB);
    if (existsSync(this.paths.source)) this.#source = Manifest.read(this.paths.source);
    else this.map.forgetPresent();
    this.#loadFreezes();
  }

  get sizeBytes(): number {
    return this.#data.sizeBytes;
  }

  get map(): VolumeMap {
    return this.#map;
  }

  /** Before `growVolume` writes the map anew: a flush under way would write to the one that was. */
  settleForGrowth(): void {
    this.#data.syncSync();
    this.map.savePresentSync({ evenIfSaving: true });
  }

  /** Takes over what `growVolume` did to the files, in the same turn of the event loop. */
  reopenLarger(sizeGiB: number): void {
    const sizeBytes = sizeGiB * GIB;
    // Nobody may open a device twice.
    if (this.#data instanceof VolumeDevice) this.#data.resize(sizeBytes);
    else {
      this.#retired.push(this.#data);
      const { volumeId, io } = this.#options;
      this.#data = openVolumeData(this.#openFile, this.paths, volumeId, sizeBytes, io);
    }
    this.#retired.push(this.#map);
    this.#map = this.#openMap(sizeGiB);
    if (this.#source === null) this.#map.forgetPresent();
  }

  #openMap(sizeGiB: number): VolumeMap {
    const { bootId } = this.#options;
    return VolumeMap.open(this.paths.map, blockCount(sizeGiB), { openFile: this.#openFile, bootId });
  }

  /** Freezes whose blocks are still being copied, the oldest first. */
  get freezes(): readonly Freeze[] {
    return this.#freezes;
  }

  /** Milliseconds (monotonic) when an access of the guest was last noticed, by whoever asks; background work makes room for it. */
  get lastAccessMs(): number {
    const { accesses } = this;
    if (accesses !== this.#noticed.accesses) this.#noticed = { accesses, atMs: performance.now() };
    return this.#noticed.atMs;
  }

  /** Whether blocks of the source snapshot are still to be fetched. */
  get hydrating(): boolean {
    return this.#source !== null;
  }

  readSync(offsetBytes: number, target: Buffer): void {
    assertRange(offsetBytes, target.length, this.sizeBytes);
    if (!this.pace.isTimed) return this.#data.readSync(target, offsetBytes);
    const startedMs = performance.now();
    this.#data.readSync(target, offsetBytes);
    this.pace.note(performance.now() - startedMs, target.length);
  }

  /** Off the event loop; what it races with may be read in part. */
  read(offsetBytes: number, target: Buffer): Promise<void> {
    assertRange(offsetBytes, target.length, this.sizeBytes);
    return this.#data.read(target, offsetBytes);
  }

  /** Whether the page cache is passed by: then what is read off the event loop is not there to be read again on it. */
  get isDirect(): boolean {
    return this.#options.io === 'direct';
  }

  /** Off the event loop, and as if in one moment: what is written to meanwhile is read again. */
  readWhole(offsetBytes: number, target: Buffer): Promise<void> {
    const read = () => this.read(offsetBytes, target);
    return this.#reads.run(offsetBytes, target.length, read, () => this.readSync(offsetBytes, target));
  }

  /** The caller has waited for `prepareWrite` of the same range, in the same turn of the event loop. */
  writeSync(offsetBytes: number, data: Buffer): void {
    assertRange(offsetBytes, data.length, this.sizeBytes);
    if (data.length === 0) return;
    const [first, last] = blocksOf(offsetBytes, data.length);
    this.#beforeChange(first, last);
    this.#reads.writing(offsetBytes, data.length);
    this.#data.writeSync(data, offsetBytes);
    if (this.#source !== null) for (let block = first; block <= last; block++) this.map.markPresent(block);
  }

  /** Zeroes one whole block; afterwards it is known to be unused. Prepared like a write. */
  zeroBlockSync(block: number): void {
    if (!this.map.used.get(block)) return;
    this.zeroUnitsSync(block * BLOCK_SIZE_BYTES, BLOCK_SIZE_BYTES);
    this.map.markUnused(block);
  }

  /**
   * Makes units of one block such as were never written, and gives their space back where that is possible and worth it. Prepared
   * like a write.
   * @param offsetBytes like the length, of whole units.
   */
  zeroUnitsSync(offsetBytes: number, lengthBytes: number): void {
    assertRange(offsetBytes, lengthBytes, this.sizeBytes);
    const [block] = blocksOf(offsetBytes, lengthBytes);
    this.#beforeChange(block, block);
    this.#reads.writing(offsetBytes, lengthBytes);
    const isWorthIt = lengthBytes >= MIN_PUNCHED_BYTES;
    const punched = isWorthIt && (this.#data.punchSync?.(offsetBytes, lengthBytes) ?? false);
    if (!punched) this.#data.writeSync(zeros(lengthBytes), offsetBytes);
    if (this.#source !== null) this.map.markPresent(block);
  }

  #beforeChange(first: number, last: number): void {
    this.map.beginWrite();
    for (let block = first; block <= last; block++) {
      if (this.#freezes.length > 0) this.#preserve(block);
      this.map.markChanged(block);
    }
  }

  /** @returns undefined when the range can be read now; else wait, and ask again. */
  prepareRead(offsetBytes: number, lengthBytes: number): Promise<void> | undefined {
    if (this.#source === null || lengthBytes === 0) return undefined;
    const [first, last] = blocksOf(offsetBytes, lengthBytes);
    const missing = [];
    for (let block = first; block <= last; block++) if (!this.map.isPresent(block)) missing.push(block);
    return missing.length === 0
      ? undefined
      : Promise.all(missing.map((block) => this.fetch(block))).then(() => undefined);
  }

  /** @returns undefined when the range can be written now; else wait, and ask again. */
  prepareWrite(offsetBytes: number, lengthBytes: number): Promise<void> | undefined {
    if ((this.#source === null && this.#freezes.length === 0) || lengthBytes === 0) return undefined;
    const [first, last] = blocksOf(offsetBytes, lengthBytes);
    const missing = [];
    for (let block = first; block <= last; block++) {
      const frozen = this.#freezes.filter(({ pending }) => pending.get(block));
      if (frozen.some(({ spill }) => spill.size >= this.#spillBlocks)) return this.#room();
      const whole =
        offsetBytes <= block * BLOCK_SIZE_BYTES && offsetBytes + lengthBytes >= (block + 1) * BLOCK_SIZE_BYTES;
      if (!this.map.isPresent(block) && (!whole || frozen.length > 0)) missing.push(block);
    }
    return missing.length === 0
      ? undefined
      : Promise.all(missing.map((block) => this.fetch(block))).then(() => undefined);
  }

  /** Brings one block of the source snapshot here. @throws BlockDamaged, and the block stays missing. */
  fetch(block: number): Promise<void> {
    const running = this.#fetching.get(block);
    if (running !== undefined) return running;
    const fetched = this.#fetch(block).finally(() => this.#fetching.delete(block));
    this.#fetching.set(block, fetched);
    return fetched;
  }

  /** What one block of the source snapshot holds, without bringing it here; null: it is here. @throws BlockDamaged */
  async missingContent(block: number): Promise<Buffer | null> {
    const digest = this.map.isPresent(block) ? undefined : this.#source?.digest(block);
    return digest === undefined ? null : this.store.get(digest);
  }

  /** Every write that was done before the call is durable when it settles. */
  flush(): Promise<void> {
    return this.map.flush(() => this.#data.sync());
  }

  /** All blocks of the source are here: the volume stands on its own. */
  async finishHydration(): Promise<void> {
    if (this.#source === null) return;
    if (this.map.missing > 0) throw new Error(`${this.map.missing} blocks are still missing`);
    await this.flush();
    rmSync(this.paths.source, { force: true });
    syncDirectory(this.paths.folder);
    this.#source = null;
    this.map.forgetPresent();
  }

  /** With no writes going on, spares the next start and the next snapshot a look at every block. */
  saveClean(): Promise<boolean> {
    return this.map.saveClean(() => this.#data.sync());
  }

  /**
   * Fixes the volume's content of this moment as a snapshot; durable when it settles, copied later. Idempotent.
   * The guest waits only for the part after the first flush: some small files and what was written since.
   * @returns how long that was, in milliseconds; null: it was done before.
   */
  async freeze(header: Omit<ManifestHeader, 'parentSnapshotId'>): Promise<number | null> {
    const { snapshotId } = header;
    const paths = this.#options.layout.snapshot(snapshotId);
    const isDone = () => existsSync(paths.manifest) || existsSync(paths.job) || existsSync(paths.removed);
    if (isDone()) return null;
    await this.flush();
    if (isDone()) return null;
    const startedMs = performance.now();
    this.#data.syncSync();
    // Or after a loss of power, blocks would come from the source again, over what is frozen here.
    this.map.savePresentSync();
    const { baseline } = this.map;
    const parent = this.#parentManifest(baseline);
    const sequence = (this.#freezes.at(-1)?.job.sequence ?? 0) + 1;
    const changed = this.map.changed.clone();
    if (parent === 'lost') changed.setAll();
    makeDirectory(this.paths.freezes);
    writeFileSync(join(this.paths.freezes, `${sequence}-${snapshotId}`), '', { mode: 0o600 });
    syncDirectory(this.paths.freezes);
    const state = {
      header: { ...header, parentSnapshotId: parent === 'lost' ? null : baseline },
      sequence,
      changed,
      used: this.map.used,
    };
    const base = parent === 'lost' || parent === 'pending' ? null : parent;
    this.#freezes.push(Freeze.create(paths, state, base, this.#openFile));
    this.map.startEpoch(snapshotId);
    return performance.now() - startedMs;
  }

  /** The oldest freeze is copied whole: makes it a completed snapshot, or drops it if it has been removed meanwhile. */
  finishOldestFreeze(): void {
    const freeze = this.#freezes[0];
    if (freeze === undefined) return;
    const { snapshotId } = freeze.job.header;
    const next = this.#freezes[1];
    const dependent = next?.job.header.parentSnapshotId === snapshotId ? next.paths : null;
    freeze.finish(dependent);
    this.#dropOldest(freeze);
    if (existsSync(freeze.paths.removed)) rmSync(freeze.paths.manifest, { force: true });
  }

  /** The oldest freeze can't be completed, nor what builds on it. */
  failOldestFreeze(): Freeze | undefined {
    const freeze = this.#freezes[0];
    if (freeze === undefined) return undefined;
    freeze.close();
    this.#dropOldest(freeze);
    return freeze;
  }

  /** Wakes writes that wait for room in a spill file. */
  wake(): void {
    for (const resume of this.#roomWaiters.splice(0)) resume();
  }

  close(): void {
    for (const freeze of this.#freezes) freeze.close();
    for (const file of [this.#map, this.#data, ...this.#retired]) file.close();
  }

  #dropOldest(freeze: Freeze): void {
    this.#freezes.shift();
    rmSync(join(this.paths.freezes, `${freeze.job.sequence}-${freeze.job.header.snapshotId}`), { force: true });
    this.wake();
  }

  #preserve(block: number): void {
    // More than one only after a loss of power, when a freeze takes every block for changed.
    const waiting = this.#freezes.filter(({ pending }) => pending.get(block));
    if (waiting.length === 0) return;
    const content = Buffer.allocUnsafe(BLOCK_SIZE_BYTES);
    this.#data.readSync(content, block * BLOCK_SIZE_BYTES);
    for (const freeze of waiting) freeze.preserve(block, content);
  }

  #room(): Promise<void> {
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  async #fetch(block: number): Promise<void> {
    const digest = this.#source?.digest(block);
    if (digest === undefined) throw new Error(`block ${block} is missing and its source does not have it`);
    const content = await this.store.get(digest);
    if (this.map.isPresent(block)) return;
    this.map.beginWrite();
    this.#data.writeSync(content, block * BLOCK_SIZE_BYTES);
    this.map.markPresent(block);
  }

  /** What the next snapshot is incremental to: a manifest's path, none for an empty volume, a freeze still under way. */
  #parentManifest(baseline: string | null): string | null | 'pending' | 'lost' {
    if (baseline === null) return null;
    if (this.#freezes.at(-1)?.job.header.snapshotId === baseline) return 'pending';
    const paths = this.#options.layout.snapshot(baseline);
    if (existsSync(paths.manifest) && !existsSync(paths.removed)) return paths.manifest;
    return this.#source?.header.snapshotId === baseline ? this.paths.source : 'lost';
  }

  #loadFreezes(): void {
    const pointers = existsSync(this.paths.freezes) ? readdirSync(this.paths.freezes) : [];
    for (const name of pointers) {
      const snapshotId = name.slice(name.indexOf('-') + 1);
      const paths = this.#options.layout.snapshot(snapshotId);
      if (existsSync(paths.job) && !existsSync(paths.manifest) && !existsSync(paths.failed)) {
        this.#freezes.push(Freeze.load(paths, this.#openFile));
        continue;
      }
      // Killed before the freeze was committed, or after its end.
      if (existsSync(paths.manifest)) discardJobFiles(paths);
      rmSync(join(this.paths.freezes, name), { force: true });
    }
    this.#freezes.sort((left, right) => left.job.sequence - right.job.sequence);
  }
}

const blocksOf = (offsetBytes: number, lengthBytes: number): [first: number, last: number] => [
  Math.floor(offsetBytes / BLOCK_SIZE_BYTES),
  Math.floor((offsetBytes + lengthBytes - 1) / BLOCK_SIZE_BYTES),
];
