import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

const VOLUME_ID = /^vol-(?:[0-9a-f]{8}|[0-9a-f]{17})$/;
const SNAPSHOT_ID = /^snap-(?:[0-9a-f]{8}|[0-9a-f]{17})$/;

/** Where a host keeps its volumes, snapshots and blocks. Ids are checked before they become part of a path. */
export class StoreLayout {
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  get blocks(): string {
    return join(this.root, 'blocks');
  }
  /** What this host noted of its place in an object store. */
  get claim(): string {
    return join(this.root, 'block-store.json');
  }
  /** Process that collects unused blocks of an object store. */
  get collecting(): string {
    return join(this.root, 'collecting.lock');
  }
  get volumes(): string {
    return join(this.root, 'volumes');
  }
  get snapshots(): string {
    return join(this.root, 'snapshots');
  }
  /** What is known of the devices that volumes' data are on. */
  get devices(): string {
    return join(this.root, 'devices');
  }
  /** Ids of the volumes and snapshots that have a folder, whatever state they are in. */
  volumeIds(): string[] {
    return names(this.volumes, VOLUME_ID);
  }
  snapshotIds(): string[] {
    return names(this.snapshots, SNAPSHOT_ID);
  }
  volume(volumeId: string): VolumePaths {
    return volumePaths(join(this.volumes, checked(volumeId, VOLUME_ID)));
  }
  snapshot(snapshotId: string): SnapshotPaths {
    return snapshotPaths(join(this.snapshots, checked(snapshotId, SNAPSHOT_ID)));
  }
}

export const isSnapshotId = (id: string): boolean => SNAPSHOT_ID.test(id);

const names = (folder: string, pattern: RegExp): string[] =>
  existsSync(folder) ? readdirSync(folder).filter((name) => pattern.test(name)) : [];

const checked = (id: string, pattern: RegExp): string => {
  if (!pattern.test(id)) throw new TypeError(`not an id: ${JSON.stringify(id)}`);
  return id;
};

export interface VolumePaths {
  readonly folder: string;
  /** Written last: a folder without it is an allocation that was not finished. */
  readonly header: string;
  readonly data: string;
  /** Which device holds the data, where no file does. */
  readonly device: string;
  readonly map: string;
  /** Manifest of the snapshot that the volume is restored from, while blocks are missing. */
  readonly source: string;
  /** One empty file per freeze whose copying goes on: `<sequence>-<snapshot id>`. */
  readonly freezes: string;
  /** Burst credits that were left, of a volume that is held to its type. */
  readonly credits: string;
  /** Process that has the volume open. */
  readonly lock: string;
}

export interface SnapshotPaths {
  readonly folder: string;
  readonly manifest: string;
  readonly job: string;
  /** The parent's manifest; for a copy, the source's. */
  readonly base: string;
  readonly need: string;
  readonly journal: string;
  /** Digests about to be put into the store. */
  readonly intent: string;
  readonly spill: string;
  /** Of blocks that are put one by one: SHA-256 of their plaintext, as a journal. */
  readonly checksums: string;
  /** Of a snapshot in the archive tier: index and blocks in one file; with an object store the index alone. */
  readonly archive: string;
  /** Of a copy under another key: the source's manifest, by which the next copy knows what is the same. Names no block here. */
  readonly origin: string;
  /** While a copy goes on: the manifest of the earlier copy whose blocks it takes over. */
  readonly inherited: string;
  /** And the manifest of that copy's source. */
  readonly inheritedOrigin: string;
  /** Why it failed. */
  readonly failed: string;
  /** There from the moment it is deleted: a copy that is under way is thrown away at its end. */
  readonly removed: string;
}

const volumePaths = (folder: string): VolumePaths => ({
  folder,
  header: join(folder, 'header.json'),
  data: join(folder, 'data'),
  device: join(folder, 'device.json'),
  map: join(folder, 'map'),
  source: join(folder, 'source'),
  freezes: join(folder, 'freezes'),
  credits: join(folder, 'credits.json'),
  lock: join(folder, 'lock'),
});

const snapshotPaths = (folder: string): SnapshotPaths => ({
  folder,
  manifest: join(folder, 'manifest'),
  job: join(folder, 'job.json'),
  base: join(folder, 'base'),
  need: join(folder, 'need'),
  journal: join(folder, 'journal'),
  intent: join(folder, 'intent'),
  spill: join(folder, 'spill'),
  checksums: join(folder, 'checksums'),
  archive: join(folder, 'archive'),
  origin: join(folder, 'origin'),
  inherited: join(folder, 'inherited'),
  inheritedOrigin: join(folder, 'inherited-origin'),
  failed: join(folder, 'failed.json'),
  removed: join(folder, 'removed'),
});
