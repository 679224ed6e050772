import {
  existsSync,
  fsyncSync,
  openSync,
  closeSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { openNodeFile } from './backing-file.ts';
import { batchBlocksOf, IntentFile, putBlocks } from './background.ts';
import { BlockJournal } from './block-journal.ts';
import { BlockDamaged, type BlockStore, digestOf } from './block-store.ts';
import { syncDirectory, writeFileDurably } from './durable-files.ts';
import { discardJobFiles } from './freeze.ts';
import { BLOCK_SIZE_BYTES } from './geometry.ts';
import type { SnapshotPaths } from './layout.ts';
import { Manifest, ManifestDamaged } from './manifest.ts';

/**
 * A snapshot by itself: its block index and every block's bytes in one file, which shares nothing with any other snapshot.
 * File: magic, length of the index (u32 BE), the index as the manifest's file has it, then the blocks in the index's order.
 */
const MAGIC = Buffer.from('HFARCHV1');
const PREFIX_BYTES = MAGIC.length + 4;
/**
 * Of an archive whose blocks stay in the object store, where they are of no other use to a host than a file of them would be: the
 * manifest's file follows, and nothing else.
 */
const INDEX_MAGIC = Buffer.from('HFARCHI1');

const writeAll = (fd: number, bytes: Uint8Array, offsetBytes: number): void => {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, offsetBytes + done);
};

const readAll = (fd: number, length: number, offsetBytes: number, path: string): Buffer<ArrayBuffer> => {
  const bytes = Buffer.alloc(length);
  for (let done = 0; done < length;) {
    const count = readSync(fd, bytes, done, length - done, offsetBytes + done);
    if (count === 0) throw new ManifestDamaged(`${path} ends after ${offsetBytes + done} bytes`);
    done += count;
  }
  return bytes;
};

export interface ArchiveWork {
  readonly signal: AbortSignal;
  /** In percent. */
  onProgress(percent: number): void;
}

/**
 * Writes a complete snapshot's archive beside its block index. The archive is there whole and durable, or not at all; each
 * block is held against its digest on the way.
 * @throws BlockDamaged, ManifestDamaged: it can't be archived; the reason of the signal's abort.
 */
export const writeArchive = async (
  paths: SnapshotPaths,
  manifestBytes: Buffer,
  store: BlockStore,
  { signal, onProgress }: ArchiveWork,
): Promise<void> => {
  if (existsSync(paths.archive)) return;
  const manifest = Manifest.parse(manifestBytes, paths.manifest);
  const unfinished = `${paths.archive}.unfinished`;
  const fd = openSync(unfinished, 'w', 0o600);
  try {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(manifestBytes.length);
    writeAll(fd, Buffer.concat([MAGIC, length, manifestBytes]), 0);
    let at = PREFIX_BYTES + manifestBytes.length;
    let done = 0;
    for (const [, digest] of manifest) {
      signal.throwIfAborted();
      writeAll(fd, await store.get(digest), at);
      at += BLOCK_SIZE_BYTES;
      onProgress(Math.floor((100 * ++done) / manifest.length));
    }
    fsyncSync(fd);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  } finally {
    closeSync(fd);
  }
  signal.throwIfAborted();
  renameSync(unfinished, paths.archive);
  syncDirectory(paths.folder);
};

/** Archives a snapshot whose blocks stay in the object store. Durable when it returns. @throws ManifestDamaged */
export const writeIndexArchive = (paths: SnapshotPaths, manifestBytes: Buffer): void => {
  if (existsSync(paths.archive)) return;
  Manifest.parse(manifestBytes, paths.manifest);
  writeFileDurably(paths.archive, Buffer.concat([INDEX_MAGIC, manifestBytes]));
};

/** @throws ManifestDamaged */
export const parseIndexArchive = (bytes: Buffer, path: string): Manifest => {
  if (!bytes.subarray(0, INDEX_MAGIC.length).equals(INDEX_MAGIC)) throw new ManifestDamaged(`${path} is no archive`);
  return Manifest.parse(bytes.subarray(INDEX_MAGIC.length), path);
};

/**
 * @returns the bytes of an archive whose blocks are in the store; null: it has its own.
 * @throws ManifestDamaged; ENOENT, as the file system words it.
 */
export const readIndexArchive = (path: string): Buffer | null => {
  const fd = openSync(path, 'r');
  try {
    const magic = Buffer.alloc(INDEX_MAGIC.length);
    const length = readSync(fd, magic, 0, magic.length, 0);
    if (magic.equals(MAGIC)) return null;
    if (length < magic.length || !magic.equals(INDEX_MAGIC)) throw new ManifestDamaged(`${path} is no archive`);
    return readFileSync(path);
  } finally {
    closeSync(fd);
  }
};

/** @returns the block index, and where the blocks start. @throws ManifestDamaged */
const readIndex = (fd: number, path: string): { manifest: Manifest; start: number } => {
  const prefix = readAll(fd, PREFIX_BYTES, 0, path);
  if (!prefix.subarray(0, MAGIC.length).equals(MAGIC)) throw new ManifestDamaged(`${path} is no archive`);
  const manifestLength = prefix.readUInt32BE(MAGIC.length);
  const start = PREFIX_BYTES + manifestLength;
  if (start > statSync(path).size) throw new ManifestDamaged(`${path} is cut short`);
  return { manifest: Manifest.parse(readAll(fd, manifestLength, PREFIX_BYTES, path), path), start };
};

/** Reads a whole archive. @returns what is wrong with it, or null. */
export const verifyArchive = async (path: string): Promise<string | null> => {
  const fd = openSync(path, 'r');
  try {
    const indexOnly = readIndexArchive(path);
    if (indexOnly !== null) {
      parseIndexArchive(indexOnly, path);
      return null; // Its blocks are looked at with all others.
    }
    const { manifest, start } = readIndex(fd, path);
    let at = start;
    for (const [block, digest] of manifest) {
      const bytes = readAll(fd, BLOCK_SIZE_BYTES, at, path);
      if (!(await digestOf(bytes)).equals(digest)) return `block ${block} has another digest`;
      at += BLOCK_SIZE_BYTES;
    }
    return null;
  } catch (error) {
    if (error instanceof ManifestDamaged) return error.message;
    throw error;
  } finally {
    closeSync(fd);
  }
};

/** Bytes of the archive's file. */
export const archiveSize = (paths: SnapshotPaths): number => statSync(paths.archive).size;

/**
 * Puts an archive's blocks into the store again and writes the block index; the archive stays. Goes on where it was killed.
 * @throws ManifestDamaged, BlockDamaged: the archive is not what was written.
 */
export const restoreArchive = async (
  paths: SnapshotPaths,
  store: BlockStore,
  { signal, onProgress }: ArchiveWork,
): Promise<void> => {
  if (existsSync(paths.manifest)) return;
  const indexOnly = readIndexArchive(paths.archive);
  if (indexOnly !== null) return parseIndexArchive(indexOnly, paths.archive).write(paths.manifest);
  const fd = openSync(paths.archive, 'r');
  const journal = BlockJournal.open(paths.journal, openNodeFile);
  const batchBlocks = batchBlocksOf(store);
  const intent = new IntentFile(paths.intent, openNodeFile, batchBlocks);
  let manifest: Manifest;
  try {
    const index = readIndex(fd, paths.archive);
    const { start } = index;
    manifest = index.manifest;
    const blocks = [...manifest];
    for (let first = 0; first < blocks.length; first += batchBlocks) {
      signal.throwIfAborted();
      const batch = blocks.slice(first, first + batchBlocks);
      const contents: (readonly [Buffer, Buffer])[] = [];
      for (const [place, [, digest]] of batch.entries()) {
        const bytes = readAll(fd, BLOCK_SIZE_BYTES, start + (first + place) * BLOCK_SIZE_BYTES, paths.archive);
        if (!(await digestOf(bytes)).equals(digest)) throw new BlockDamaged(digest.toString('hex'), 'damaged');
        contents.push([digest, bytes]);
      }
      // All zeros too: the index names what a client put, whatever it is.
      await putBlocks(store, intent, contents);
      journal.append(batch);
      await journal.sync();
      onProgress(Math.floor((100 * (first + batch.length)) / blocks.length));
    }
    signal.throwIfAborted();
    manifest.write(paths.manifest);
  } finally {
    closeSync(fd);
    intent.close();
    journal.close();
  }
  discardJobFiles(paths);
};
