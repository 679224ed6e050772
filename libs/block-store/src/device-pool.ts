import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, realpathSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { openNodeFile } from './backing-file.ts';
import { Bitmap } from './bitmap.ts';
import {
  DEVICE_DATA_OFFSET_BYTES,
  type DeviceLabel,
  deviceSizeBytes,
  formatDevice,
  openDevice,
  readLabel,
  withDevice,
  writeLabel,
} from './device-label.ts';
import { makeDirectory, syncDirectory, writeFileDurably } from './durable-files.ts';
import { GIB } from './geometry.ts';
import type { StoreLayout } from './layout.ts';
import { blockCount } from './manifest.ts';
import { deviceCapacityBytes, devicePointer, writeDevicePointer } from './volume-data.ts';
import { readVolumeHeader } from './volume-header.ts';
import { VolumeMap } from './volume-map.ts';
import { zeroDevice } from './zero-device.ts';

export interface DevicePoolOptions {
  readonly layout: StoreLayout;
  /** Absolute paths of block devices, and of folders that hold block devices or links to some. */
  readonly sources: readonly string[];
  /** Devices that are taken although something is on them. */
  readonly overwrite: readonly string[];
  readonly log: (level: 'info' | 'warn' | 'error', message: string) => void;
  /** Tests let files stand for devices, and need no large ones. */
  readonly takesFiles?: boolean;
  readonly smallestBytes?: number;
}

export interface PoolDevice {
  readonly path: string;
  /** What a volume on it may have. */
  readonly capacityBytes: number;
  readonly label: DeviceLabel;
}

/** No device is free that is large enough. */
export class NoDeviceLeft extends Error {
  override readonly name = 'NoDeviceLeft';
}

/** How often new devices are looked for, in milliseconds. */
const SCAN_MS = 60_000;

/**
 * Block devices that volumes' data are put on, a device for each volume. The device's label is the truth about whose it is,
 * and durable before anything else says so: none is ever given out twice. One is given out only when all of it is known to
 * be zero, for what a volume never wrote must read as zeros.
 */
export class DevicePool {
  readonly #options: DevicePoolOptions;
  #storeId: string | null = null;
  readonly #abort = new AbortController();
  #zeroing: Promise<void> | null = null;
  #timer: NodeJS.Timeout | undefined;
  /** Said once, not at each look. */
  readonly #told = new Set<string>();

  constructor(options: DevicePoolOptions) {
    this.#options = options;
  }

  /** Volumes get devices, and not files. */
  get isUsed(): boolean {
    return this.#options.sources.length > 0;
  }

  /** Takes devices in, now and whenever there are new ones, and makes those ready that are to be zeroed. */
  start(): void {
    if (!this.isUsed) return;
    this.#look();
    this.#timer = setInterval(() => this.#look(), SCAN_MS).unref();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#abort.abort();
    await this.#zeroing;
  }

  /** Settles when nothing is left to be zeroed. */
  async settled(): Promise<void> {
    await this.#zeroing;
  }

  /** Devices of ours, in the order of their sizes. A new one is made ours. */
  devices(): PoolDevice[] {
    const found = this.#paths().flatMap((path) => this.#tryTo(path, () => this.#take(path)) ?? []);
    const isAlone = ({ path, label }: PoolDevice) => {
      const twin = found.find((other) => other.path !== path && other.label.deviceId === label.deviceId);
      if (twin !== undefined) this.#tell(`neither ${path} nor ${twin.path} is used: one is a copy of the other`);
      return twin === undefined;
    };
    return found.filter(isAlone).sort((left, right) => left.capacityBytes - right.capacityBytes);
  }

  /**
   * Gives a volume the smallest free device that has room for it; again the one that it has. Durable when it returns.
   * @throws NoDeviceLeft
   */
  allot(volumeId: string, sizeGiB: number): void {
    const paths = this.#options.layout.volume(volumeId);
    if (devicePointer(paths) !== null) return;
    const devices = this.devices();
    const fits = ({ capacityBytes, label }: PoolDevice) => label.state === 'free' && capacityBytes >= sizeGiB * GIB;
    const device = devices.find(({ label }) => label.volumeId === volumeId) ?? devices.find(fits);
    if (device === undefined) throw new NoDeviceLeft(`no device is free that has ${String(sizeGiB)} GiB`);
    const { path, label } = device;
    // Of what was on it before; its zeros are known to be complete.
    if (label.state === 'free') rmSync(this.#usedPath(label.deviceId), { force: true });
    this.#label(path, label, { ...label, state: 'volume', volumeId });
    makeDirectory(this.#options.layout.volumes);
    mkdirSync(paths.folder, { recursive: true, mode: 0o700 });
    writeDevicePointer(paths, { deviceId: label.deviceId, path });
    syncDirectory(this.#options.layout.volumes);
  }

  /**
   * Takes a volume's device back, if it has one, and begins to zero it; the caller removes the volume's folder. The header goes
   * first, and with it the only copy of the wrapped data key: from then on an encrypted volume's bytes are noise. Idempotent.
   * @throws Error EBUSY while a process has the volume open.
   */
  release(volumeId: string): void {
    const paths = this.#options.layout.volume(volumeId);
    const device = this.#deviceOf(volumeId);
    if (device === null) return;
    const { path, label } = device;
    withDevice(openDevice(path), () => this.#noteUsed(volumeId, label.deviceId));
    rmSync(paths.header, { force: true });
    if (existsSync(paths.folder)) syncDirectory(paths.folder);
    this.#label(path, label, { ...label, state: 'zeroing', volumeId: null, zeroedBytes: 0 });
    this.#zero();
  }

  /** Every device of ours is as new: the host's folder was thrown away. */
  reset(): void {
    if (this.#storeId !== null) this.#writeStoreId(this.#storeId);
    for (const { path, label } of this.devices())
      this.#label(path, label, { ...label, state: 'zeroing', volumeId: null, zeroedBytes: 0 });
    this.#zero();
  }

  #look(): void {
    for (const { path, label } of this.devices()) {
      if (label.volumeId === null) continue;
      const paths = this.#options.layout.volume(label.volumeId);
      const pointer = devicePointer(paths);
      if (pointer === null) this.#tell(`device ${path} holds volume ${label.volumeId}, which this host does not know`);
      else if (pointer.deviceId === label.deviceId && pointer.path !== path)
        writeDevicePointer(paths, { deviceId: label.deviceId, path });
    }
    this.#zero();
  }

  /** The volume's, wherever it is now. */
  #deviceOf(volumeId: string): PoolDevice | null {
    const pointer = devicePointer(this.#options.layout.volume(volumeId));
    const known = pointer === null || !existsSync(pointer.path) ? [] : [pointer.path];
    const isIts = (label: ReturnType<typeof readLabel>): label is DeviceLabel =>
      typeof label === 'object' && label.storeId === this.#store() && label.volumeId === volumeId;
    for (const path of [...known, ...this.#paths()]) {
      const label = this.#tryTo(path, () => withDevice(openSync(path, 'r'), readLabel));
      if (label !== null && isIts(label)) return { path, capacityBytes: deviceCapacityBytes(path), label };
    }
    return null;
  }

  /** Which blocks must be zeroed, as far as that is known; the rest of the device is zero. */
  #noteUsed(volumeId: string, deviceId: string): void {
    const header = this.#tryTo(volumeId, () => readVolumeHeader(this.#options.layout, volumeId));
    if (header === null) return; // Removed half, and noted then; or never finished, and nothing is known.
    const { map: path } = this.#options.layout.volume(volumeId);
    const map = VolumeMap.open(path, blockCount(header.sizeGiB), { openFile: openNodeFile });
    makeDirectory(this.#options.layout.devices);
    writeFileDurably(this.#usedPath(deviceId), map.used.bytes);
    map.close();
  }

  /** One after the other, in the background. */
  #zero(): void {
    if (this.#abort.signal.aborted) return;
    this.#zeroing ??= this.#zeroAll().finally(() => (this.#zeroing = null));
  }

  async #zeroAll(): Promise<void> {
    const failed = new Set<string>();
    for (;;) {
      const next = this.devices().find(({ label }) => label.state === 'zeroing' && !failed.has(label.deviceId));
      if (next === undefined || this.#abort.signal.aborted) return;
      const { deviceId } = next.label;
      try {
        if (!(await zeroDevice(next.path, this.#used(deviceId), this.#abort.signal))) return;
        this.#options.log('info', `device ${next.path} is zeroed and free`);
      } catch (error) {
        failed.add(deviceId); // Until the next look.
        this.#options.log('error', `cannot zero device ${next.path}: ${String(error)}`);
      }
    }
  }

  #used(deviceId: string): Bitmap | null {
    const path = this.#usedPath(deviceId);
    if (!existsSync(path)) return null;
    const bytes = readFileSync(path);
    return new Bitmap(bytes.length * 8, bytes);
  }

  #usedPath(deviceId: string): string {
    return join(this.#options.layout.devices, `${deviceId}.used`);
  }

  /** Real paths, each device once. */
  #paths(): string[] {
    const { sources } = this.#options;
    const candidates = sources.flatMap((source) => {
      const stats = statSync(source, { throwIfNoEntry: false });
      return stats?.isDirectory() === true ? readdirSync(source).map((name) => join(source, name)) : [source];
    });
    return [...new Set(candidates.filter((path) => this.#isDevice(path)).map((path) => realpathSync(path)))];
  }

  #isDevice(path: string): boolean {
    const stats = statSync(path, { throwIfNoEntry: false });
    const isOne =
      stats !== undefined && (stats.isBlockDevice() || (this.#options.takesFiles === true && stats.isFile()));
    if (!isOne) this.#tell(`${path} is no block device: no volume is put on it`);
    return isOne;
  }

  /** A device that fails must not keep the others from being used. */
  #tryTo<Result>(path: string, work: () => Result): Result | null {
    try {
      return work();
    } catch (error) {
      this.#tell(`cannot use ${path}: ${String(error)}`);
      return null;
    }
  }

  /** @returns null for what is not ours, and not to be made ours. */
  #take(path: string): PoolDevice | null {
    const seen = withDevice(openSync(path, 'r'), (fd) => ({ label: readLabel(fd), sizeBytes: deviceSizeBytes(fd) }));
    const capacityBytes = seen.sizeBytes - DEVICE_DATA_OFFSET_BYTES;
    if (typeof seen.label === 'object' && seen.label.storeId === this.#store())
      return { path, capacityBytes, label: seen.label };
    if (capacityBytes < (this.#options.smallestBytes ?? GIB)) {
      this.#tell(`device ${path} is too small for any volume`);
      return null;
    }
    if (seen.label !== 'blank' && !this.#mayOverwrite(path)) {
      const what =
        seen.label === 'foreign' ? 'something is on it' : 'it belongs to another host, or to an earlier home';
      this.#tell(`device ${path} is not used: ${what}. Wipe it, or name it in HOLDFAST_VOLUME_DEVICES_OVERWRITE`);
      return null;
    }
    const label: DeviceLabel = {
      deviceId: randomUUID(),
      storeId: this.#store(),
      state: 'zeroing',
      volumeId: null,
      zeroedBytes: 0,
    };
    // Again, now that nobody else may: another host's service may have been quicker.
    const isTaken = withDevice(openDevice(path), (fd) => {
      if (JSON.stringify(readLabel(fd)) !== JSON.stringify(seen.label)) return false;
      formatDevice(fd, label);
      return true;
    });
    this.#options.log('info', `device ${path} was taken in`);
    return isTaken ? { path, capacityBytes, label } : null;
  }

  #mayOverwrite(path: string): boolean {
    return this.#options.overwrite.some((named) => existsSync(named) && realpathSync(named) === path);
  }

  /** Changes a label that is still what it was. */
  #label(path: string, from: DeviceLabel, to: DeviceLabel): void {
    withDevice(openDevice(path), (fd) => {
      if (JSON.stringify(readLabel(fd)) !== JSON.stringify(from)) throw new Error(`${path} is not what it was`);
      writeLabel(fd, to);
    });
  }

  /** Of this host's folder, made with the first device. */
  #store(): string {
    if (this.#storeId !== null) return this.#storeId;
    const path = join(this.#options.layout.devices, 'store');
    const storeId = existsSync(path) ? readFileSync(path, 'utf8') : this.#writeStoreId(randomUUID());
    this.#storeId = storeId;
    return storeId;
  }

  #writeStoreId(storeId: string): string {
    makeDirectory(this.#options.layout.devices);
    writeFileDurably(join(this.#options.layout.devices, 'store'), storeId);
    return storeId;
  }

  #tell(message: string): void {
    if (this.#told.has(message)) return;
    this.#told.add(message);
    this.#options.log('warn', message);
  }
}
