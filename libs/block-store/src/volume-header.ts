import { createHmac, timingSafeEqual } from 'node:crypto';
import { existsSync, linkSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { Bitmap } from './bitmap.ts';
import { makeDirectory, syncDirectory, writeFileDurably } from './durable-files.ts';
import { GIB } from './geometry.ts';
import type { StoreLayout } from './layout.ts';
import { blockCount, isVolumeSize, type KeyReference, Manifest } from './manifest.ts';
import { createVolumeData, hasVolumeData } from './volume-data.ts';
import { VolumeMap } from './volume-map.ts';

/** A volume's description, in a file of its own outside the guest's range. */
export interface VolumeHeader {
  readonly format: 1;
  readonly volumeId: string;
  readonly sizeGiB: number;
  /** Null: the volume is not encrypted. */
  readonly dataKey: KeyReference | null;
  readonly sourceSnapshotId: string | null;
  /** How fast the blocks of the source snapshot are fetched at most; absent: as they come. */
  readonly initializationRateMiBps?: number;
}

/**
 * A value that is equal for equal data keys and tells nothing about them: kept with the ciphertext, so that a wrong key is
 * noticed before it turns a volume into noise.
 */
export const keyCheckOf = (plaintextDataKey: Buffer): string =>
  createHmac('sha256', plaintextDataKey).update('holdfast data key check v1').digest('base64');

export const isKeyOf = (plaintextDataKey: Buffer, keyCheck: string): boolean => {
  const expected = Buffer.from(keyCheck, 'base64');
  const actual = Buffer.from(keyCheckOf(plaintextDataKey), 'base64');
  return expected.length === actual.length && timingSafeEqual(expected, actual);
};

/** @returns null for a volume that is not there, or whose allocation was not finished. */
export const readVolumeHeader = (layout: StoreLayout, volumeId: string): VolumeHeader | null => {
  const { header } = layout.volume(volumeId);
  let content: string;
  try {
    content = readFileSync(header, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const parsed = JSON.parse(content) as VolumeHeader;
  if (parsed.format !== 1) throw new Error(`${header} is of format ${String(parsed.format)}, this program knows 1`);
  if (parsed.volumeId !== volumeId || !isVolumeSize(parsed.sizeGiB))
    throw new Error(`${header} does not describe ${volumeId}`);
  return parsed;
};

/** Makes the sparse file, unless the volume has a device, and its folder; the volume exists only from `commitVolume` on. */
export const prepareVolume = (layout: StoreLayout, volumeId: string, sizeGiB: number): void => {
  if (!isVolumeSize(sizeGiB)) throw new RangeError(`a volume of ${sizeGiB} GiB`);
  const paths = layout.volume(volumeId);
  makeDirectory(layout.volumes);
  mkdirSync(paths.folder, { recursive: true, mode: 0o700 });
  createVolumeData(paths, sizeGiB * GIB);
};

const commitVolume = (layout: StoreLayout, header: VolumeHeader): void => {
  const paths = layout.volume(header.volumeId);
  syncDirectory(layout.volumes);
  writeFileDurably(paths.header, JSON.stringify(header, null, 2));
};

/** An empty volume. */
export const createEmptyVolume = (layout: StoreLayout, header: VolumeHeader): void => {
  prepareVolume(layout, header.volumeId, header.sizeGiB);
  VolumeMap.create(layout.volume(header.volumeId).map, blockCount(header.sizeGiB), {});
  commitVolume(layout, header);
};

/** A volume whose blocks are a snapshot's, under the same data key (or none): here at once, fetched later. */
export const createRestoredVolume = (layout: StoreLayout, header: VolumeHeader, sourceManifest: string): void => {
  prepareVolume(layout, header.volumeId, header.sizeGiB);
  const paths = layout.volume(header.volumeId);
  if (!existsSync(paths.source)) linkSync(sourceManifest, paths.source);
  const source = Manifest.read(paths.source);
  const used = usedBlocks(source, header.sizeGiB);
  const present = new Bitmap(used.length);
  present.setAll();
  for (const block of used) present.clear(block);
  VolumeMap.create(paths.map, used.length, { used, present, baseline: source.header.snapshotId });
  commitVolume(layout, header);
};

/** A volume whose data file holds a snapshot's blocks already, encrypted again. */
export const commitReEncryptedVolume = (layout: StoreLayout, header: VolumeHeader, source: Manifest): void => {
  const used = usedBlocks(source, header.sizeGiB);
  VolumeMap.create(layout.volume(header.volumeId).map, used.length, { used, changed: used });
  commitVolume(layout, header);
};

/**
 * Makes a volume larger, durably; what is new was never written. Idempotent, and never makes it smaller. The header goes
 * first: what a crash interrupts is finished by `finishGrowth`, when the volume is opened. Only whoever may open the volume
 * may call this.
 */
export const growVolume = (layout: StoreLayout, header: VolumeHeader, sizeGiB: number): VolumeHeader => {
  if (!isVolumeSize(sizeGiB)) throw new RangeError(`a volume of ${sizeGiB} GiB`);
  if (sizeGiB <= header.sizeGiB) return header;
  const grown = { ...header, sizeGiB };
  writeFileDurably(layout.volume(header.volumeId).header, JSON.stringify(grown, null, 2));
  finishGrowth(layout, grown);
  return grown;
};

/** Makes file and map as large as the header says. */
export const finishGrowth = (layout: StoreLayout, { volumeId, sizeGiB }: VolumeHeader): void => {
  const paths = layout.volume(volumeId);
  // The file goes last: it is what tells whether anything is left to do. A device is as large as it is.
  if (hasVolumeData(paths, sizeGiB * GIB) && !existsSync(paths.device)) return;
  VolumeMap.extend(paths.map, blockCount(sizeGiB));
  createVolumeData(paths, sizeGiB * GIB);
};

/** Idempotent. The header goes first, so that half a removal is no volume. */
export const removeVolumeFiles = (layout: StoreLayout, volumeId: string): void => {
  const paths = layout.volume(volumeId);
  rmSync(paths.header, { force: true });
  if (existsSync(paths.folder)) syncDirectory(paths.folder);
  rmSync(paths.folder, { recursive: true, force: true });
};

const usedBlocks = (source: Manifest, sizeGiB: number): Bitmap => {
  const used = new Bitmap(blockCount(sizeGiB));
  for (const [block] of source) used.set(block);
  return used;
};
