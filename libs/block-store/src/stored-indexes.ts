import { existsSync, readFileSync } from 'node:fs';
import { parseIndexArchive, readIndexArchive } from './archive.ts';
import { isSnapshotId, type SnapshotPaths } from './layout.ts';
import { Manifest, ManifestDamaged } from './manifest.ts';
import type { ObjectStore } from './object-store.ts';

/** What a snapshot is read by: the block index of its tier, or of both while it is in both. */
export const INDEX_KINDS = ['manifest', 'archive'] as const;
export type IndexKind = (typeof INDEX_KINDS)[number];

/** A copy of such a file in the object store, in one object or several: it is whole when all of these are there. */
export interface StoredIndex {
  readonly snapshotId: string;
  readonly kind: IndexKind;
  /** In their order; undefined: that part is not there. */
  readonly keys: readonly (string | undefined)[];
  readonly sizeBytes: number;
}

export const SNAPSHOTS_PREFIX = 'snapshots/';

/** Of one object: that of a full snapshot of 256 GiB fits into one. */
const PART_BYTES = 33_554_432;
const MAX_PARTS = 65_536;

const keyOf = (snapshotId: string, kind: IndexKind, part: number, parts: number): string =>
  `${SNAPSHOTS_PREFIX}${snapshotId}/${kind}-${String(part)}-${String(parts)}`;

/** @returns null for a key that is none of an index's. */
export const indexOfKey = (
  key: string,
): { snapshotId: string; kind: IndexKind; part: number; parts: number } | null => {
  const [, snapshotId = '', name, part, parts] = /^snapshots\/([^/]+)\/(manifest|archive)-(\d+)-(\d+)$/.exec(key) ?? [];
  const kind = INDEX_KINDS.find((known) => known === name);
  const [at, of] = [Number(part), Number(parts)];
  if (kind === undefined || !isSnapshotId(snapshotId) || of > MAX_PARTS || at < 1 || at > of) return null;
  return keyOf(snapshotId, kind, at, of) === key ? { snapshotId, kind, part: at, parts: of } : null;
};

/** @param snapshotId of this one only. @throws StoreUnavailable */
export const listIndexes = async (objects: ObjectStore, snapshotId?: string): Promise<StoredIndex[]> => {
  const found = new Map<
    string,
    { snapshotId: string; kind: IndexKind; keys: (string | undefined)[]; sizeBytes: number }
  >();
  for await (const { key, sizeBytes } of objects.list(
    SNAPSHOTS_PREFIX + (snapshotId === undefined ? '' : `${snapshotId}/`),
  )) {
    const index = indexOfKey(key);
    if (index === null) continue;
    const { kind, part, parts } = index;
    const name = `${index.snapshotId}/${kind}/${String(parts)}`;
    const before = found.get(name);
    const entry = before ?? {
      snapshotId: index.snapshotId,
      kind,
      keys: Array<string | undefined>(parts).fill(undefined),
      sizeBytes: 0,
    };
    entry.keys[part - 1] = key;
    entry.sizeBytes += sizeBytes;
    found.set(name, entry);
  }
  return [...found.values()];
};

export const isWhole = ({ keys }: StoredIndex): boolean => !keys.includes(undefined);

/** Durable when it settles; what is there already is the same. @throws StoreUnavailable */
export const putIndex = async (
  objects: ObjectStore,
  snapshotId: string,
  kind: IndexKind,
  bytes: Buffer,
): Promise<void> => {
  const parts = Math.max(1, Math.ceil(bytes.length / PART_BYTES));
  for (let part = 1; part <= parts; part++)
    await objects.put(
      keyOf(snapshotId, kind, part, parts),
      Buffer.from(bytes.subarray((part - 1) * PART_BYTES, part * PART_BYTES)),
    );
};

/** @returns its bytes, which are a block index of that snapshot. @throws ManifestDamaged, ObjectMissing, StoreUnavailable */
export const getIndex = async (objects: ObjectStore, { snapshotId, kind, keys }: StoredIndex): Promise<Buffer> => {
  const parts: Buffer[] = [];
  for (const key of keys) {
    if (key === undefined)
      throw new ManifestDamaged(`${objects.url}/${SNAPSHOTS_PREFIX}${snapshotId}: parts are missing`);
    parts.push(await objects.get(key, 0, PART_BYTES));
  }
  const bytes = Buffer.concat(parts);
  assertIndexOf(snapshotId, kind, bytes, `${objects.url}/${keys[0] ?? ''}`);
  return bytes;
};

export const removeIndexes = async (objects: ObjectStore, indexes: readonly StoredIndex[]): Promise<void> => {
  const keys = indexes.flatMap((index) => index.keys.filter((key) => key !== undefined));
  if (keys.length > 0) await objects.remove(keys);
};

/**
 * What is to be in the object store of a file that is here.
 * @returns null: nothing, since the file is not there, or is an archive with its own blocks, which stays where it is.
 * @throws ManifestDamaged
 */
export const indexHere = (paths: SnapshotPaths, snapshotId: string, kind: IndexKind): Buffer | null => {
  const path = paths[kind];
  if (!existsSync(path)) return null;
  const bytes = kind === 'archive' ? readIndexArchive(path) : readFileSync(path);
  if (bytes !== null) assertIndexOf(snapshotId, kind, bytes, path);
  return bytes;
};

const assertIndexOf = (snapshotId: string, kind: IndexKind, bytes: Buffer, path: string): void => {
  const { header } = kind === 'archive' ? parseIndexArchive(bytes, path) : Manifest.parse(bytes, path);
  if (header.snapshotId !== snapshotId) throw new ManifestDamaged(`${path}: it is of ${header.snapshotId}`);
};
