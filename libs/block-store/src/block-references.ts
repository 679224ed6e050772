import { readFileSync } from 'node:fs';
import { parseIndexArchive, readIndexArchive } from './archive.ts';
import { readJournal } from './block-journal.ts';
import { DIGEST_BYTES } from './block-store.ts';
import type { StoreLayout } from './layout.ts';
import { Manifest } from './manifest.ts';

/** A file that names blocks. */
export interface BlockReference {
  /** Id of the snapshot or volume. */
  readonly owner: string;
  readonly path: string;
  /** The blocks may not be there yet. */
  readonly isAnnounced: boolean;
  /** @throws ManifestDamaged; ENOENT, as the file system words it, when there is no such file (any more). */
  read(): Buffer[];
}

const manifestDigests = (path: string): Buffer[] => [...Manifest.read(path)].map(([, digest]) => digest);

/** Of an archive with blocks of its own: none. */
const archivedDigests = (path: string): Buffer[] => {
  const bytes = readIndexArchive(path);
  return bytes === null ? [] : [...parseIndexArchive(bytes, path)].map(([, digest]) => digest);
};

/** Everything that may name blocks, whether or not it is there. Work in progress comes before what it may turn into. */
export function* blockReferences(layout: StoreLayout): Generator<BlockReference> {
  const snapshotIds = layout.snapshotIds();
  const volumeIds = layout.volumeIds();
  const manifest = (owner: string, path: string): BlockReference => {
    return { owner, path, isAnnounced: false, read: () => manifestDigests(path) };
  };
  for (const owner of snapshotIds) {
    const { intent, journal, base, inherited } = layout.snapshot(owner);
    yield { owner, path: intent, isAnnounced: true, read: () => [...digestsIn(readFileSync(intent))] };
    yield { owner, path: journal, isAnnounced: false, read: () => [...readJournal(journal)] };
    yield manifest(owner, base);
    yield manifest(owner, inherited);
  }
  for (const owner of volumeIds) yield manifest(owner, layout.volume(owner).source);
  // Listed again: a snapshot that was completed or frozen since has what it needs in one of these.
  for (const owner of layout.snapshotIds()) {
    yield manifest(owner, layout.snapshot(owner).base);
    yield manifest(owner, layout.snapshot(owner).manifest);
    const { archive } = layout.snapshot(owner);
    yield { owner, path: archive, isAnnounced: false, read: () => archivedDigests(archive) };
  }
}

function* digestsIn(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at + DIGEST_BYTES <= bytes.length; at += DIGEST_BYTES) yield bytes.subarray(at, at + DIGEST_BYTES);
}
