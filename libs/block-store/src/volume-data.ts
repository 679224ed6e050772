import { existsSync, openSync, readFileSync } from 'node:fs';
import { type BackingFile, openNodeDevice, type OpenFile } from './backing-file.ts';
import { DEVICE_DATA_OFFSET_BYTES, deviceSizeBytes, openDevice, readLabel, withDevice } from './device-label.ts';
import { writeFileDurably } from './durable-files.ts';
import type { VolumePaths } from './layout.ts';
import { openDirectDevice, openDirectFile } from './direct-file.ts';
import { createSegments, openSegments, segmentsSize } from './segmented-file.ts';

/** Where a volume's device was last seen. Names of devices change; what counts is the label. */
export interface DevicePointer {
  readonly deviceId: string;
  readonly path: string;
}

/** @returns null for a volume whose data are in files. */
export const devicePointer = ({ device }: VolumePaths): DevicePointer | null =>
  existsSync(device) ? (JSON.parse(readFileSync(device, 'utf8')) as DevicePointer) : null;

export const writeDevicePointer = ({ device }: VolumePaths, pointer: DevicePointer): void =>
  writeFileDurably(device, JSON.stringify(pointer));

/** What a volume on this device may have at most, in bytes. */
export const deviceCapacityBytes = (path: string): number =>
  withDevice(openSync(path, 'r'), deviceSizeBytes) - DEVICE_DATA_OFFSET_BYTES;

/** Makes room for a volume's data, unless a device was allotted to it: that has it. */
export const createVolumeData = (paths: VolumePaths, sizeBytes: number): void => {
  if (!existsSync(paths.device)) createSegments(paths.data, sizeBytes);
};

/** Whether data of that size are there; on a device they are, since it was chosen. */
export const hasVolumeData = (paths: VolumePaths, sizeBytes: number): boolean =>
  existsSync(paths.device) || segmentsSize(paths.data) >= sizeBytes;

/** How a volume's data are read and written: by way of the page cache, or past it. */
export type VolumeIo = 'buffered' | 'direct';

/** Opens a volume's data as one file of that size. @throws Error when they are not there, or not the volume's. */
export const openVolumeData = (
  openFile: OpenFile,
  paths: VolumePaths,
  volumeId: string,
  sizeBytes: number,
  io: VolumeIo = 'buffered',
): BackingFile => {
  const pointer = devicePointer(paths);
  if (pointer !== null) return VolumeDevice.open(pointer, volumeId, sizeBytes, io);
  const data = openSegments(io === 'direct' ? openDirectFile : openFile, paths.data);
  if (data.sizeBytes === sizeBytes) return data;
  data.close();
  throw new Error(`${paths.data} has ${String(data.sizeBytes)} bytes, not ${String(sizeBytes)}`);
};

/** The guest's range of a device: what is in front of it and behind it can't be reached. */
export class VolumeDevice implements BackingFile {
  readonly #file: BackingFile;
  /** By which this process has the device alone. */
  readonly #owned: BackingFile;
  readonly #capacityBytes: number;
  #sizeBytes: number;

  private constructor(file: BackingFile, owned: BackingFile, capacityBytes: number, sizeBytes: number) {
    this.#file = file;
    this.#owned = owned;
    this.#capacityBytes = capacityBytes;
    this.#sizeBytes = sizeBytes;
    this.resize(sizeBytes);
  }

  static open({ deviceId, path }: DevicePointer, volumeId: string, sizeBytes: number, io: VolumeIo): VolumeDevice {
    const { file, fd } = openNodeDevice(path, openDevice);
    try {
      const label = readLabel(fd);
      const isIts =
        typeof label === 'object' &&
        label.deviceId === deviceId &&
        label.state === 'volume' &&
        label.volumeId === volumeId;
      if (!isIts) throw new Error(`${path} is not the device of ${volumeId}`);
      const deviceBytes = deviceSizeBytes(fd);
      const data = io === 'direct' ? openDirectDevice(fd, deviceBytes) : file;
      return new VolumeDevice(data, file, deviceBytes - DEVICE_DATA_OFFSET_BYTES, sizeBytes);
    } catch (error) {
      file.close();
      throw error;
    }
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** @throws RangeError when the device is smaller. */
  resize(sizeBytes: number): void {
    if (sizeBytes > this.#capacityBytes)
      throw new RangeError(`${String(sizeBytes)} bytes on a device that has ${String(this.#capacityBytes)}`);
    this.#sizeBytes = sizeBytes;
  }

  readSync(target: Buffer, offsetBytes: number): void {
    this.#file.readSync(target, this.#place(offsetBytes, target.length));
  }

  read(target: Buffer, offsetBytes: number): Promise<void> {
    return this.#file.read(target, this.#place(offsetBytes, target.length));
  }

  writeSync(data: Buffer, offsetBytes: number): void {
    this.#file.writeSync(data, this.#place(offsetBytes, data.length));
  }

  punchSync(offsetBytes: number, lengthBytes: number): boolean {
    return this.#file.punchSync?.(this.#place(offsetBytes, lengthBytes), lengthBytes) ?? false;
  }

  syncSync(): void {
    this.#file.syncSync();
  }

  sync(): Promise<void> {
    return this.#file.sync();
  }

  close(): void {
    if (this.#file !== this.#owned) this.#file.close();
    this.#owned.close();
  }

  #place(offsetBytes: number, lengthBytes: number): number {
    if (offsetBytes < 0 || offsetBytes + lengthBytes > this.#sizeBytes)
      throw new RangeError(
        `nothing at ${String(offsetBytes)}+${String(lengthBytes)} of ${String(this.#sizeBytes)} bytes`,
      );
    return DEVICE_DATA_OFFSET_BYTES + offsetBytes;
  }
}
