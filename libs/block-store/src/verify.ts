import { type Dirent, existsSync, statSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyArchive } from './archive.ts';
import { blockReferences } from './block-references.ts';
import { asidePath, isAbsent } from './block-index.ts';
import { BlockInspector, entryExists, modifiedMs } from './block-inspection.ts';
import { GIB } from './geometry.ts';
import type { StoreLayout } from './layout.ts';
import { Manifest, ManifestDamaged } from './manifest.ts';
import type { ObjectStore } from './object-store.ts';
import { unusedObjects } from './segment-garbage.ts';
import { storedIndexFindings } from './verify-indexes.ts';
import { devicePointer } from './volume-data.ts';
import { readVolumeHeader } from './volume-header.ts';

/** Blocks read at once; those that lie side by side in a segment come with one request. */
const CONCURRENCY = 4;
const SEGMENT_CONCURRENCY = 32;

export interface Finding {
  /**
   * Data is lost: `block-damaged`, `block-missing`, `index-damaged`, `archive-damaged`, `volume-damaged`. It only takes room:
   * `unreferenced-block` and `unreferenced-segment`, which the next collection takes away, and `stray-file`, which is nothing of
   * ours, there or in the object store. Of block indexes in the object store: `index-not-stored`, which a running host mends, and
   * `index-unknown`, of a snapshot that this host has lost, for `rebuildIndex`.
   */
  readonly kind:
    | 'block-damaged'
    | 'block-missing'
    | 'index-damaged'
    | 'archive-damaged'
    | 'volume-damaged'
    | 'index-not-stored'
    | 'index-unknown'
    | 'unreferenced-block'
    | 'unreferenced-segment'
    | 'stray-file';
  /** A path, or a block's digest in hexadecimal. */
  readonly subject: string;
  /** Ids of the snapshots and volumes that need it. */
  readonly owners: readonly string[];
  readonly reason: string;
}

export interface Verification {
  readonly blocks: number;
  /** How often blocks are named by what needs them; a block that two snapshots share counts twice. */
  readonly references: number;
  readonly snapshots: number;
  readonly volumes: number;
  readonly findings: readonly Finding[];
}

const NO_LOSS: readonly Finding['kind'][] = [
  'index-not-stored',
  'unreferenced-block',
  'unreferenced-segment',
  'stray-file',
];

export const isLoss = ({ kind }: Finding): boolean => !NO_LOSS.includes(kind);

/**
 * Reads everything of a host that can be held to a digest, and changes nothing. It may run while the host does: what is made
 * or removed meanwhile is looked at again before anything is said of it. Takes as long as reading all blocks.
 * @param objects where the host's segments are, if it has any. @throws StoreUnavailable
 */
export const verifyStore = async (layout: StoreLayout, objects?: ObjectStore): Promise<Verification> => {
  // What is younger may belong to work that goes on; a file system's clock can be a little behind.
  const startedMs = Date.now() - 1_000;
  const counts = countReferences(layout);
  const found = await findFiles(layout, startedMs);
  const inspector = new BlockInspector(objects);
  const suspects: Suspect[] = [];
  const concurrency = objects === undefined ? CONCURRENCY : SEGMENT_CONCURRENCY;
  await eachAtOnce(concurrency, await inspector.inOrder(found.blocks), async ([digest, path]) => {
    const damage = await inspector.inspect(digest, path);
    if (damage !== null) suspects.push({ ...damage, subject: digest });
    else if (!counts.byDigest.has(digest) && modifiedMs(path) < startedMs)
      suspects.push({ kind: 'unreferenced-block', subject: digest, reason: 'nothing names it' });
  });
  for (const digest of counts.byDigest.keys())
    if (!found.blocks.has(digest)) suspects.push({ kind: 'block-missing', subject: digest, reason: 'it is not there' });
  const findings = [
    ...(await confirmed(layout, suspects, found.blocks, inspector)),
    ...(objects === undefined ? [] : await objectFindings(layout, objects)),
    ...(objects === undefined ? [] : await storedIndexFindings(layout, objects, startedMs)),
    ...indexFindings(layout),
    ...(await archiveFindings(layout)),
    ...layout.volumeIds().flatMap((volumeId) => volumeFinding(layout, volumeId) ?? []),
    ...found.strays.map((subject): Finding => ({
      kind: 'stray-file',
      subject,
      owners: [],
      reason: 'nothing of ours has such a name',
    })),
  ];
  const references = [...counts.byDigest.values()].reduce((sum, count) => sum + count, 0);
  const [snapshots, volumes] = [layout.snapshotIds().length, layout.volumeIds().length];
  return { blocks: found.blocks.size, references, snapshots, volumes, findings };
};

type Suspect = Omit<Finding, 'owners'>;

/** Of blocks that must be there; damaged indexes are told by themselves. */
const countReferences = (layout: StoreLayout): { byDigest: Map<string, number> } => {
  const byDigest = new Map<string, number>();
  const seen = new Set<string>();
  for (const { path, isAnnounced, read } of blockReferences(layout)) {
    if (isAnnounced || seen.has(path)) continue;
    for (const digest of readOr(read, [])) {
      seen.add(path);
      const name = digest.toString('hex');
      byDigest.set(name, (byDigest.get(name) ?? 0) + 1);
    }
  }
  return { byDigest };
};

const readOr = (read: () => Buffer[], otherwise: Buffer[]): Buffer[] => {
  try {
    return read();
  } catch (error) {
    if (isAbsent(error) || error instanceof ManifestDamaged) return otherwise;
    throw error;
  }
};

/** Looks again at what seemed wrong, as things are now, and at who needs it. */
const confirmed = async (
  layout: StoreLayout,
  suspects: readonly Suspect[],
  paths: ReadonlyMap<string, string>,
  inspector: BlockInspector,
): Promise<Finding[]> => {
  const owners = new Map(suspects.map(({ subject }) => [subject, new Set<string>()]));
  const announced = new Set<string>();
  if (suspects.length > 0) {
    for (const { owner, isAnnounced, read } of blockReferences(layout)) {
      for (const digest of readOr(read, [])) {
        const name = digest.toString('hex');
        if (isAnnounced) announced.add(name);
        else owners.get(name)?.add(owner);
      }
    }
  }
  const findings: Finding[] = [];
  for (const suspect of suspects) {
    const { kind, subject } = suspect;
    const needing = [...(owners.get(subject) ?? [])].sort();
    const path = paths.get(subject) ?? blockFile(layout, subject);
    // A collection may have it aside for a moment.
    const isThere = [path, asidePath(layout.blocks, subject), path].some((place) => entryExists(place));
    const damage = isThere && kind !== 'unreferenced-block' ? await inspector.inspect(subject, path) : null;
    const holds =
      kind === 'block-missing'
        ? needing.length > 0 && (!isThere || damage?.kind === kind)
        : kind === 'block-damaged'
          ? damage?.kind === kind
          : isThere && needing.length === 0 && !announced.has(subject);
    if (holds) findings.push({ ...suspect, owners: needing });
  }
  return findings.sort((left, right) => left.subject.localeCompare(right.subject));
};

const blockFile = ({ blocks }: StoreLayout, digest: string) => join(blocks, digest.slice(0, 2), digest.slice(2));

/** Blocks by digest, and whatever has no place where it is. */
const findFiles = async (
  layout: StoreLayout,
  startedMs: number,
): Promise<{ blocks: Map<string, string>; strays: string[] }> => {
  const blocks = new Map<string, string>();
  const strays: string[] = [];
  const stray = (path: string) => {
    // Temporary files are somebody's until they are old.
    if (modifiedMs(path) < startedMs) strays.push(path);
  };
  for (const folder of await list(layout.blocks)) {
    const path = join(layout.blocks, folder.name);
    if (folder.isDirectory() && folder.name === 'trash') {
      for (const { name } of await list(path)) {
        if (/^[0-9a-f]{64}$/.test(name)) blocks.set(name, join(path, name));
        else if (name !== 'clock') stray(join(path, name));
      }
    } else if (folder.isDirectory() && /^[0-9a-f]{2}$/.test(folder.name)) {
      for (const { name } of await list(path)) {
        if (/^[0-9a-f]{62}$/.test(name)) blocks.set(folder.name + name, join(path, name));
        else stray(join(path, name));
      }
    } else if (folder.name !== 'writing') stray(path);
  }
  const known = new Set([...layout.volumeIds(), ...layout.snapshotIds()]);
  for (const parent of [layout.volumes, layout.snapshots])
    for (const { name } of await list(parent)) if (!known.has(name)) stray(join(parent, name));
  for (const paths of [
    ...layout.volumeIds().map((id) => layout.volume(id)),
    ...layout.snapshotIds().map((id) => layout.snapshot(id)),
  ]) {
    const own: ReadonlySet<string> = new Set(Object.values(paths) as string[]);
    for (const { name } of await list(paths.folder)) {
      const path = join(paths.folder, name);
      if (!own.has(path) && !/^lock\.\d+$|^data\.\d$|\.unfinished$/.test(name)) stray(path);
    }
  }
  return { blocks, strays: strays.sort() };
};

const list = async (folder: string): Promise<Dirent[]> => {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (isAbsent(error)) return [];
    throw error;
  }
};

const indexFindings = (layout: StoreLayout): Finding[] => {
  const findings = new Map<string, Finding>();
  const check = (owner: string, path: string, read: () => unknown) => {
    try {
      read();
    } catch (error) {
      if (error instanceof ManifestDamaged)
        findings.set(path, { kind: 'index-damaged', subject: path, owners: [owner], reason: error.message });
      else if (!isAbsent(error)) throw error;
    }
  };
  const archives = new Set(layout.snapshotIds().map((snapshotId) => layout.snapshot(snapshotId).archive));
  for (const { owner, path, read } of blockReferences(layout)) if (!archives.has(path)) check(owner, path, read);
  for (const snapshotId of layout.snapshotIds()) {
    const { manifest } = layout.snapshot(snapshotId);
    check(snapshotId, manifest, () => {
      const { header } = Manifest.read(manifest);
      if (header.snapshotId !== snapshotId) throw new ManifestDamaged(`${manifest}: it is of ${header.snapshotId}`);
    });
  }
  return [...findings.values()];
};

const archiveFindings = async (layout: StoreLayout): Promise<Finding[]> => {
  const findings: Finding[] = [];
  for (const snapshotId of layout.snapshotIds()) {
    const { archive } = layout.snapshot(snapshotId);
    if (!existsSync(archive)) continue;
    const reason = await verifyArchive(archive);
    if (reason !== null && existsSync(archive))
      findings.push({ kind: 'archive-damaged', subject: archive, owners: [snapshotId], reason });
  }
  return findings;
};

/** A volume's own bytes have no digest; that there are as many as its header says can be seen. */
const volumeFinding = (layout: StoreLayout, volumeId: string): Finding | null => {
  const { header: path, data, map } = layout.volume(volumeId);
  const damaged = (subject: string, reason: string): Finding => {
    return { kind: 'volume-damaged', subject, owners: [volumeId], reason };
  };
  let sizeGiB: number;
  try {
    const header = readVolumeHeader(layout, volumeId);
    if (header === null) return null; // Being made, or removed.
    ({ sizeGiB } = header);
  } catch (error) {
    return damaged(path, (error as Error).message);
  }
  if (devicePointer(layout.volume(volumeId)) !== null) return null; // It has the size of its device.
  const size = statSync(data, { throwIfNoEntry: false })?.size;
  if (!existsSync(path)) return null;
  if (size === undefined) return damaged(data, 'it is not there');
  // The header goes first when a volume grows, and is followed when it is opened next.
  if (size > sizeGiB * GIB) return damaged(data, `it has ${size} bytes, its header says ${sizeGiB * GIB}`);
  if (size < sizeGiB * GIB && size % GIB !== 0) return damaged(data, `it has only ${size} bytes`);
  return existsSync(map) ? null : damaged(map, 'it is not there');
};

const objectFindings = async (layout: StoreLayout, objects: ObjectStore): Promise<Finding[]> => {
  const { segments, strays } = await unusedObjects(layout.blocks, objects);
  const finding = (kind: Finding['kind'], key: string, reason: string): Finding => {
    return { kind, subject: `${objects.url}/${key}`, owners: [], reason };
  };
  return [
    ...segments.map((key) => finding('unreferenced-segment', key, 'no block of it is in use')),
    ...strays.map((key) => finding('stray-file', key, 'nothing of ours has such a name')),
  ];
};

const eachAtOnce = async <Item>(
  concurrency: number,
  items: readonly Item[],
  work: (item: Item) => Promise<void>,
): Promise<void> => {
  const left = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      for (let next = left.next(); next.done !== true; next = left.next()) await work(next.value);
    }),
  );
};
