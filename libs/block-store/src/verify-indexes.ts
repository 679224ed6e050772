import { existsSync, statSync } from 'node:fs';
import { isAbsent } from './block-index.ts';
import type { StoreLayout } from './layout.ts';
import { ManifestDamaged } from './manifest.ts';
import { ObjectMissing, type ObjectStore } from './object-store.ts';
import { getIndex, INDEX_KINDS, indexHere, isWhole, listIndexes, type StoredIndex } from './stored-indexes.ts';
import type { Finding } from './verify.ts';

/**
 * Reads the block indexes in the object store, and compares them with those that are here.
 * @param startedMs what is younger here may be on its way there. @throws StoreUnavailable
 */
export const storedIndexFindings = async (
  layout: StoreLayout,
  objects: ObjectStore,
  startedMs: number,
): Promise<Finding[]> => {
  const findings: Finding[] = [];
  const stored = new Set<string>();
  for (const index of await listIndexes(objects)) {
    const { snapshotId, kind } = index;
    if (isWhole(index)) stored.add(`${snapshotId}/${kind}`);
    const finding = await findingOf(layout, objects, index);
    if (finding !== null) findings.push(finding);
  }
  for (const snapshotId of layout.snapshotIds()) {
    const paths = layout.snapshot(snapshotId);
    for (const kind of INDEX_KINDS) {
      const file = statSync(paths[kind], { throwIfNoEntry: false });
      if (file === undefined || file.mtimeMs >= startedMs || existsSync(paths.removed)) continue;
      if (stored.has(`${snapshotId}/${kind}`)) continue;
      const reason = isOwnArchive(layout, snapshotId, kind)
        ? 'an archive with blocks of its own is on this host only'
        : 'it is not in the object store';
      findings.push({ kind: 'index-not-stored', subject: paths[kind], owners: [snapshotId], reason });
    }
  }
  return findings;
};

const findingOf = async (layout: StoreLayout, objects: ObjectStore, index: StoredIndex): Promise<Finding | null> => {
  const { snapshotId, kind, keys } = index;
  const paths = layout.snapshot(snapshotId);
  const subject = `${objects.url}/${keys.find((key) => key !== undefined) ?? ''}`;
  const finding = (of: Finding['kind'], reason: string): Finding => {
    return { kind: of, subject, owners: [snapshotId], reason };
  };
  const isHere = () => INDEX_KINDS.some((known) => existsSync(paths[known]));
  if (!isWhole(index))
    return existsSync(paths[kind]) ? null : finding('stray-file', 'it was never whole, and nobody was told of it');
  try {
    const there = await getIndex(objects, index);
    if (!isHere() && !existsSync(paths.removed)) {
      // It goes from there first: what is there still was not removed meanwhile.
      const isThere = (await listIndexes(objects, snapshotId)).some(isWhole);
      return isThere && !isHere() ? finding('index-unknown', 'this host has lost the snapshot') : null;
    }
    const here = hereOrDamaged(layout, index);
    // What is damaged here is told by itself.
    return here !== null && !here.equals(there) ? finding('index-damaged', 'it is not what this host has') : null;
  } catch (error) {
    if (error instanceof ManifestDamaged) return finding('index-damaged', error.message);
    if (error instanceof ObjectMissing) return null; // Removed meanwhile.
    throw error;
  }
};

const hereOrDamaged = (layout: StoreLayout, { snapshotId, kind }: StoredIndex): Buffer | null => {
  try {
    return indexHere(layout.snapshot(snapshotId), snapshotId, kind);
  } catch (error) {
    if (error instanceof ManifestDamaged || isAbsent(error)) return null;
    throw error;
  }
};

const isOwnArchive = (layout: StoreLayout, snapshotId: string, kind: StoredIndex['kind']): boolean =>
  kind === 'archive' && hereOrDamaged(layout, { snapshotId, kind, keys: [], sizeBytes: 0 }) === null;
