import { existsSync, linkSync, readFileSync, rmSync } from 'node:fs';
import type { OpenFile } from './backing-file.ts';
import { Bitmap } from './bitmap.ts';
import { makeDirectory, syncDirectory, writeFileDurably } from './durable-files.ts';
import { BlockJournal } from './block-journal.ts';
import { Manifest, ManifestDamaged, type ManifestHeader } from './manifest.ts';
import { SpillFile } from './spill-file.ts';
import type { SnapshotPaths } from './layout.ts';

/** What a freeze fixed, in its job file. */
export interface FreezeJob {
  readonly kind: 'freeze';
  readonly header: ManifestHeader;
  readonly blocks: number;
  /** Order among the freezes of a volume. */
  readonly sequence: number;
  /** Blocks to copy; what else changed is a hole. */
  readonly copyCount: number;
}

export interface FreezeState {
  readonly header: ManifestHeader;
  readonly sequence: number;
  /** Changed since the parent snapshot: everything else comes from its manifest. */
  readonly changed: Bitmap;
  /** Blocks outside are holes. */
  readonly used: Bitmap;
}

/**
 * A volume's content at one moment, kept while its blocks are copied: a block that the guest is about to overwrite is
 * put into the spill file first. Durable from `create` on, whatever is killed.
 */
export class Freeze {
  readonly job: FreezeJob;
  readonly paths: SnapshotPaths;
  /** Blocks whose frozen content is still only in the volume. */
  readonly pending: Bitmap;
  readonly spill: SpillFile;
  readonly journal: BlockJournal;
  readonly #changed: Bitmap;

  private constructor(paths: SnapshotPaths, job: FreezeJob, changed: Bitmap, pending: Bitmap, openFile: OpenFile) {
    this.paths = paths;
    this.job = job;
    this.#changed = changed;
    this.pending = pending;
    this.journal = BlockJournal.open(paths.journal, openFile);
    try {
      this.spill = SpillFile.open(paths.spill, openFile);
    } catch (error) {
      this.journal.close();
      throw error;
    }
    for (const [block] of this.journal.entries) this.pending.clear(block);
    for (const block of this.spill.blocks()) {
      // A block that was copied before it was overwritten, or whose slot outlived its copy.
      if (this.journal.entries.has(block)) this.spill.release(block);
      else this.pending.clear(block);
    }
  }

  /** The caller has made the volume's data durable. Durable itself when it returns. */
  static create(paths: SnapshotPaths, state: FreezeState, baseManifest: string | null, openFile: OpenFile): Freeze {
    rmSync(paths.folder, { recursive: true, force: true });
    makeDirectory(paths.folder);
    const { header, sequence, changed, used } = state;
    if (baseManifest !== null) linkSync(baseManifest, paths.base);
    const copy = changed.clone();
    for (const block of changed) if (!used.get(block)) copy.clear(block);
    const job: FreezeJob = { kind: 'freeze', header, blocks: changed.length, sequence, copyCount: copy.count };
    writeFileDurably(paths.need, Buffer.concat([changed.bytes, copy.bytes]));
    // Whoever finds the job takes the content for preserved: so its files are open before.
    const freeze = new Freeze(paths, job, changed.clone(), copy, openFile);
    try {
      writeFileDurably(paths.job, JSON.stringify(job));
    } catch (error) {
      freeze.close();
      rmSync(paths.job, { force: true });
      throw error;
    }
    return freeze;
  }

  static load(paths: SnapshotPaths, openFile: OpenFile): Freeze {
    const job = JSON.parse(readFileSync(paths.job, 'utf8')) as FreezeJob;
    const need = readFileSync(paths.need);
    const half = Bitmap.bytesFor(job.blocks);
    if (need.length !== 2 * half) throw new Error(`${paths.need}: ${need.length} bytes for ${job.blocks} blocks`);
    const changed = new Bitmap(job.blocks, Buffer.from(need.subarray(0, half)));
    const pending = new Bitmap(job.blocks, Buffer.from(need.subarray(half)));
    return new Freeze(paths, job, changed, pending, openFile);
  }

  /** Before the guest overwrites a pending block: its content is durable elsewhere when this returns. */
  preserve(block: number, content: Buffer): void {
    this.spill.keep(block, content);
    this.pending.clear(block);
  }

  /** Blocks not yet in the journal. */
  get remaining(): number {
    return this.pending.count + this.spill.size;
  }

  /** Records copied blocks durably; only then may the guest overwrite them freely. Null: a hole. */
  async commit(copied: readonly (readonly [number, Buffer | null])[]): Promise<void> {
    this.journal.append(copied);
    await this.journal.sync();
    for (const [block] of copied) {
      this.pending.clear(block);
      this.spill.release(block);
    }
  }

  /**
   * Writes the manifest and drops what only the copying needed. The snapshot is complete when this returns.
   * @param dependent paths of a later freeze whose parent this is: it gets a manifest of its own, for this one may be
   * removed at any time.
   */
  finish(dependent: SnapshotPaths | null): Manifest {
    const { header } = this.job;
    const base = existsSync(this.paths.base) ? Manifest.read(this.paths.base) : null;
    if (base === null && header.parentSnapshotId !== null) {
      throw new ManifestDamaged(`${header.snapshotId} lacks the block index of its parent ${header.parentSnapshotId}`);
    }
    const manifest = Manifest.of(header, this.#merged(base));
    if (dependent !== null) manifest.write(dependent.base);
    manifest.write(this.paths.manifest);
    this.close();
    discardJobFiles(this.paths);
    return manifest;
  }

  close(): void {
    this.journal.close();
    this.spill.close();
  }

  *#merged(base: Manifest | null): Generator<readonly [number, Buffer]> {
    const inherited = base?.[Symbol.iterator]();
    let next = inherited?.next();
    const copied = [...this.journal.entries].sort(([left], [right]) => left - right);
    let at = 0;
    for (;;) {
      while (next?.done === false && this.#changed.get(next.value[0])) next = inherited?.next();
      const fromBase = next?.done === false ? next.value : undefined;
      const fromCopy = copied[at];
      if (fromCopy !== undefined && (fromBase === undefined || fromCopy[0] < fromBase[0])) {
        if (fromCopy[1] !== null) yield [fromCopy[0], fromCopy[1]];
        at++;
      } else if (fromBase !== undefined) {
        yield fromBase;
        next = inherited?.next();
      } else return;
    }
  }
}

/**
 * Everything but the manifest; the job file goes last, for it names the rest. From then on the folder may be removed by others, at
 * any moment.
 */
export const discardJobFiles = (paths: SnapshotPaths): void => {
  const { spill, journal, checksums, intent, need, base, inherited, inheritedOrigin } = paths;
  for (const path of [spill, journal, checksums, intent, need, base, inherited, inheritedOrigin])
    rmSync(path, { force: true });
  rmSync(paths.job, { force: true });
  try {
    syncDirectory(paths.folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
};
