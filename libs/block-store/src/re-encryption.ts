import { existsSync, linkSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { openNodeFile } from './backing-file.ts';
import { batchBlocksOf, IntentFile, storeBlocks } from './background.ts';
import type { SectorCipher } from './block-device.ts';
import { BlockJournal } from './block-journal.ts';
import type { BlockStore } from './block-store.ts';
import { makeDirectory, writeFileDurably } from './durable-files.ts';
import { reEncryptUnits } from './encrypted-device.ts';
import { discardJobFiles } from './freeze.ts';
import { BLOCK_SIZE_BYTES, GIB, UNITS_PER_BLOCK } from './geometry.ts';
import type { SnapshotPaths, StoreLayout } from './layout.ts';
import { Manifest, type ManifestHeader } from './manifest.ts';
import { openVolumeData } from './volume-data.ts';
import { commitReEncryptedVolume, prepareVolume, type VolumeHeader } from './volume-header.ts';

/** Null: that side is plaintext. */
export interface CipherPair {
  readonly from: SectorCipher | null;
  readonly to: SectorCipher | null;
}

/** What a copy of a snapshot is to become; its source's manifest lies beside it, so that it can't be collected. */
export interface CopyJob<Request> {
  readonly kind: 'copy';
  readonly header: Omit<ManifestHeader, 'dataKey'>;
  /** The request, to go on after a restart. */
  readonly request: Request;
}

const batches = function* <Item>(items: Iterable<Item>, size: number): Generator<Item[]> {
  let batch: Item[] = [];
  for (const item of items) {
    batch.push(item);
    if (batch.length < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
};

/** Durable when it returns. */
export const createCopyJob = <Request>(
  paths: SnapshotPaths,
  job: CopyJob<Request>,
  sourceManifest: string,
  /** An earlier copy under the same data key; null, or gone meanwhile: everything is copied. */
  previous: SnapshotPaths | null = null,
): void => {
  makeDirectory(paths.folder);
  if (!existsSync(paths.base)) linkSync(sourceManifest, paths.base);
  if (!existsSync(paths.origin)) linkSync(sourceManifest, paths.origin);
  if (previous !== null && existsSync(previous.manifest) && existsSync(previous.origin)) {
    if (!existsSync(paths.inherited)) linkSync(previous.manifest, paths.inherited);
    if (!existsSync(paths.inheritedOrigin)) linkSync(previous.origin, paths.inheritedOrigin);
  }
  writeFileDurably(paths.job, JSON.stringify(job));
};

/**
 * Writes a snapshot's blocks into the store once more, under another key. Goes on where it was killed.
 * @throws BlockDamaged, ManifestDamaged; the copy can't succeed then.
 */
export const reEncryptSnapshot = async (
  paths: SnapshotPaths,
  header: ManifestHeader,
  ciphers: CipherPair,
  store: BlockStore,
  signal: AbortSignal,
): Promise<void> => {
  const source = Manifest.read(paths.base);
  const journal = BlockJournal.open(paths.journal, openNodeFile);
  const batchBlocks = batchBlocksOf(store);
  const intent = new IntentFile(paths.intent, openNodeFile, batchBlocks);
  try {
    await inherit(paths, source, header, journal);
    const rest = [...source].filter(([block]) => !journal.entries.has(block));
    for (const batch of batches(rest, batchBlocks)) {
      signal.throwIfAborted();
      const blocks = await Promise.all(batch.map(async ([block, digest]) => [block, await store.get(digest)] as const));
      for (const [block, content] of blocks) reEncryptUnits(ciphers.from, ciphers.to, content, block * UNITS_PER_BLOCK);
      journal.append(await storeBlocks(store, intent, blocks));
      await journal.sync();
    }
    const copied = [...journal.entries].sort(([left], [right]) => left - right);
    Manifest.of(
      header,
      copied.flatMap(([block, digest]) => (digest === null ? [] : [[block, digest] as const])),
    ).write(paths.manifest);
  } finally {
    intent.close();
    journal.close();
  }
  discardJobFiles(paths);
};

/** Blocks that are as they were when the earlier copy was made are that copy's own. */
const inherit = async (
  paths: SnapshotPaths,
  source: Manifest,
  { dataKey }: ManifestHeader,
  journal: BlockJournal,
): Promise<void> => {
  if (!existsSync(paths.inherited) || !existsSync(paths.inheritedOrigin)) return;
  const [copy, origin] = [Manifest.read(paths.inherited), Manifest.read(paths.inheritedOrigin)];
  // Under another plaintext key its blocks would be of no use.
  if (copy.header.dataKey?.keyCheck !== dataKey?.keyCheck) return;
  const same = [...source].flatMap(([block, digest]): (readonly [number, Buffer])[] => {
    const copied = origin.digest(block)?.equals(digest) === true ? copy.digest(block) : undefined;
    return copied === undefined || journal.entries.has(block) ? [] : [[block, copied]];
  });
  journal.append(same);
  await journal.sync();
};

/**
 * Fills a new volume with a snapshot's blocks under another key, and makes it exist. Goes on where it was killed.
 * @param sourceManifest linked into the volume's folder meanwhile, so that its blocks stay.
 * @throws BlockDamaged, ManifestDamaged
 */
export const reEncryptIntoVolume = async (
  layout: StoreLayout,
  header: VolumeHeader,
  sourceManifest: string,
  ciphers: CipherPair,
  store: BlockStore,
): Promise<void> => {
  prepareVolume(layout, header.volumeId, header.sizeGiB);
  const paths = layout.volume(header.volumeId);
  if (!existsSync(paths.source)) linkSync(sourceManifest, paths.source);
  const source = Manifest.read(paths.source);
  const progress = new AllocationProgress(join(paths.folder, 'progress'), header.dataKey?.keyCheck ?? 'plaintext');
  const data = openVolumeData(openNodeFile, paths, header.volumeId, header.sizeGiB * GIB);
  try {
    let done = progress.load();
    for (const batch of batches([...source].slice(done), batchBlocksOf(store))) {
      const blocks = await Promise.all(batch.map(async ([block, digest]) => [block, await store.get(digest)] as const));
      for (const [block, content] of blocks) {
        reEncryptUnits(ciphers.from, ciphers.to, content, block * UNITS_PER_BLOCK);
        data.writeSync(content, block * BLOCK_SIZE_BYTES);
      }
      await data.sync();
      done += batch.length;
      progress.save(done);
    }
  } finally {
    data.close();
  }
  // Without its source the volume is not taken for one that is still being fetched.
  rmSync(paths.source, { force: true });
  commitReEncryptedVolume(layout, header, source);
  progress.remove();
};

/** How many of the source's blocks are durable in the data file; bound to the key they were written under. */
class AllocationProgress {
  readonly #path: string;
  readonly #key: string;
  constructor(path: string, key: string) {
    this.#path = path;
    this.#key = key;
  }
  load(): number {
    try {
      const { key, done } = JSON.parse(readFileSync(this.#path, 'utf8')) as { key: string; done: number };
      return key === this.#key && Number.isSafeInteger(done) ? done : 0;
    } catch {
      return 0; // Not begun, or torn by a loss of power: everything is written again, with the same result.
    }
  }
  save(done: number): void {
    writeFileSync(this.#path, JSON.stringify({ key: this.#key, done }), { mode: 0o600 });
  }
  remove(): void {
    rmSync(this.#path, { force: true });
  }
}
