import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OpenFile } from '../backing-file.ts';
import { BackgroundWork } from '../background.ts';
import type { SectorCipher } from '../block-device.ts';
import { FolderBlockStore } from '../block-store.ts';
import { BLOCK_SIZE_BYTES, GIB, UNIT_SIZE_BYTES as UNIT, UNITS_PER_BLOCK } from '../geometry.ts';
import { GuestDevice } from '../guest-device.ts';
import { StoreLayout } from '../layout.ts';
import { Manifest } from '../manifest.ts';
import { VolumeFile } from '../volume-file.ts';
import { createEmptyVolume } from '../volume-header.ts';
import { FaultyBlockDevice, seededRandom } from './faulty-block-device.ts';
import { testCipher } from './test-cipher.ts';

const BYTES = 4 * BLOCK_SIZE_BYTES;
const UNITS = BYTES / UNIT;
const VOLUME = 'vol-00000001';
const dataKey = { keyArn: 'arn', encryptedDataKey: 'AA==', encryptionContext: {}, dataKeyId: 'k', keyCheck: 'c' };
const OPERATIONS_PER_ROUND = 24;
const MAX_UNITS_PER_WRITE = 40;

type Ending = 'kill' | 'power';

/** What a unit held, from what is surely durable to what was sent last. */
interface History {
  versions: Buffer[];
  /** How many of `versions` were answered; the others may or may not be there. */
  answered: number;
}

/**
 * A guest that writes, trims and flushes many things at once, and whose host loses its power, or is killed, at a random turn
 * of all that: in the middle of flushes, freezes and copies. Whatever a flush was answered for must be there afterwards, and
 * each unit must be one of what was written to it since. Everything follows from the seed.
 */
export class PowerCutLife {
  readonly #seed: number;
  // What the disk keeps and loses is decided in memory; a real one underneath would only take time.
  readonly #root = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'holdfast-cuts-'));
  readonly #layout = new StoreLayout(this.#root);
  readonly #disk: FaultyBlockDevice;
  readonly #random: () => number;
  readonly #cipher: SectorCipher | null;
  readonly #units: History[] = Array.from({ length: UNITS }, () => ({ versions: [Buffer.alloc(UNIT)], answered: 1 }));
  readonly #snapshots = new Map<string, Buffer>();
  readonly #forgetsSyncs: boolean;
  #writes = 0;
  #boots = 0;
  #lives = 0;
  #volume!: VolumeFile;
  #device!: GuestDevice;
  #background!: BackgroundWork;

  /** @param forgetsSyncs of the volume's data: a disk that lies, with which the promises can't be kept. */
  constructor(seed: number, { forgetsSyncs = false }: { forgetsSyncs?: boolean } = {}) {
    this.#seed = seed;
    this.#forgetsSyncs = forgetsSyncs;
    this.#disk = new FaultyBlockDevice(seed);
    this.#random = seededRandom(seed + 1);
    this.#cipher = seed % 2 === 0 ? testCipher('power cuts') : null;
    const [sizeGiB, sourceSnapshotId] = [BYTES / GIB, null];
    const key = this.#cipher === null ? null : dataKey;
    createEmptyVolume(this.#layout, { format: 1, volumeId: VOLUME, sizeGiB, dataKey: key, sourceSnapshotId });
    this.#open();
  }

  /** @throws Error naming seed, round and unit. */
  async run(rounds: number): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      await this.#verify(round, await this.#round());
      if (this.#snapshots.size > 3) await this.#checkSnapshots(round);
    }
    await this.#checkSnapshots(rounds);
  }

  close(): void {
    this.#volume.close();
    rmSync(this.#root, { recursive: true, force: true });
  }

  async #round(): Promise<Ending> {
    const life = ++this.#lives;
    const underWay = new Map<number, Promise<void>>();
    const operations = 1 + this.#pick(OPERATIONS_PER_ROUND);
    for (let each = 0; each < operations; each++) {
      const choice = this.#random();
      if (choice < 0.6) this.#change(underWay, life);
      else if (choice < 0.8) this.#flush(life);
      else if (choice < 0.85) await this.#freeze(underWay);
      else if (choice < 0.9) this.#work();
      else await this.#turns(this.#pick(4));
    }
    await this.#turns(this.#pick(6));
    this.#lives++;
    const ending = this.#random() < 0.2 ? 'kill' : 'power';
    if (ending === 'kill') this.#disk.kill();
    else {
      this.#disk.cutPower();
      this.#boots++;
    }
    // What was under way runs into files that are not its any more.
    await this.#turns(8);
    this.#open();
    return ending;
  }

  /** Several units at once; none that is being written already, whose outcome nobody could know. */
  #change(underWay: Map<number, Promise<void>>, life: number): void {
    const first = this.#pick(UNITS);
    const count = Math.min(1 + this.#pick(MAX_UNITS_PER_WRITE), UNITS - first);
    const units = Array.from({ length: count }, (_, place) => first + place);
    if (units.some((unit) => underWay.has(unit))) return;
    const isTrim = this.#random() < 0.15;
    const data = Buffer.alloc(count * UNIT);
    for (const [place, unit] of units.entries()) {
      const content = data.subarray(place * UNIT, (place + 1) * UNIT);
      if (!isTrim) for (let at = 0; at < UNIT; at += 8) content.writeUInt32BE(++this.#writes, at);
      this.#units[unit]?.versions.push(Buffer.from(content));
    }
    const answered = () => {
      if (life !== this.#lives) return;
      for (const unit of units) {
        underWay.delete(unit);
        const history = this.#units[unit];
        if (history !== undefined) history.answered = history.versions.length;
      }
    };
    const done = isTrim ? this.#device.trim(first * UNIT, data.length) : this.#device.write(first * UNIT, data);
    if (done === undefined) return answered();
    const settled = done.then(answered, () => undefined);
    for (const unit of units) underWay.set(unit, settled);
  }

  #work(): void {
    if (this.#background.isNeeded) this.#background.step().catch(() => undefined);
  }

  /** Covers what was answered when it was asked for. */
  #flush(life: number): void {
    const covered = this.#units.map(({ versions, answered }) => versions[answered - 1]);
    this.#device.flush().then(
      () => life === this.#lives && this.#durable(covered),
      () => undefined,
    );
  }

  #durable(covered: readonly (Buffer | undefined)[]): void {
    for (const [unit, history] of this.#units.entries()) {
      const from = history.versions.findIndex((version) => version === covered[unit]);
      if (from <= 0) continue;
      history.versions = history.versions.slice(from);
      history.answered -= from;
    }
  }

  /** Its moment is known only when nothing is written meanwhile. */
  async #freeze(underWay: ReadonlyMap<number, Promise<void>>): Promise<void> {
    await Promise.all(underWay.values());
    const snapshotId = `snap-${(this.#lives * 100 + this.#snapshots.size).toString(16).padStart(8, '0')}`;
    if (existsSync(this.#layout.snapshot(snapshotId).folder)) return;
    const content = Buffer.concat(this.#units.map(({ versions }) => versions.at(-1) ?? Buffer.of()));
    const key = this.#cipher === null ? null : dataKey;
    const freezing = this.#volume.freeze({ snapshotId, sizeGiB: BYTES / GIB, dataKey: key });
    if (this.#random() < 0.3) {
      freezing.catch(() => undefined);
      await this.#turns(this.#pick(10));
      this.#disk.cutPower();
      this.#boots++;
      this.#lives++;
      await this.#turns(8);
      this.#open();
      if (existsSync(this.#layout.snapshot(snapshotId).job)) this.#snapshots.set(snapshotId, content);
      await this.#verify(-1, 'power');
    } else {
      await freezing;
      this.#snapshots.set(snapshotId, content);
      this.#durable(this.#units.map(({ versions }) => versions.at(-1)));
    }
  }

  /** After a loss of power, what is there was read from the disk, and stays; after a kill it may still be lost later. */
  async #verify(round: number, ending: Ending): Promise<void> {
    const found = Buffer.alloc(BYTES);
    await this.#device.read(0, found);
    for (const [unit, history] of this.#units.entries()) {
      const now = found.subarray(unit * UNIT, (unit + 1) * UNIT);
      // The page cache outlives the process: of what was answered, the last is there.
      const allowed = ending === 'kill' ? history.versions.slice(history.answered - 1) : history.versions;
      if (!allowed.some((version) => version.equals(now)))
        throw new Error(`seed ${this.#seed}, round ${round}: unit ${unit} is none of what it may be after ${ending}`);
      const versions = [...(ending === 'kill' ? history.versions : []), Buffer.from(now)];
      this.#units[unit] = { versions, answered: versions.length };
    }
  }

  async #checkSnapshots(round: number): Promise<void> {
    while (this.#background.isNeeded) await this.#background.step();
    for (const [id, expected] of this.#snapshots) {
      const content = Buffer.alloc(BYTES);
      for (const [block, digest] of Manifest.read(this.#layout.snapshot(id).manifest)) {
        const bytes = await new FolderBlockStore(this.#layout.blocks).get(digest);
        this.#cipher?.decrypt(bytes, 0, bytes.length, block * UNITS_PER_BLOCK);
        bytes.copy(content, block * BLOCK_SIZE_BYTES);
      }
      if (!content.equals(expected)) throw new Error(`seed ${this.#seed}, round ${round}: ${id} is not what it was`);
    }
    this.#snapshots.clear();
  }

  #open(): void {
    this.#lives++;
    this.#volume = new VolumeFile({
      layout: this.#layout,
      volumeId: VOLUME,
      sizeGiB: BYTES / GIB,
      store: new FolderBlockStore(this.#layout.blocks),
      openFile: (path, mode) => this.#openFile(path, mode),
      bootId: `boot-${this.#boots}`,
    });
    this.#device = new GuestDevice(this.#volume, this.#cipher);
    this.#background = new BackgroundWork(this.#volume, new AbortController().signal);
  }

  readonly #openFile: OpenFile = (path, mode) => {
    const file = this.#disk.openFile(path, mode);
    if (!this.#forgetsSyncs || !path.endsWith('/data')) return file;
    return { ...file, sizeBytes: file.sizeBytes, sync: () => Promise.resolve(), syncSync: () => undefined };
  };

  async #turns(count: number): Promise<void> {
    for (let turn = 0; turn < count; turn++) await new Promise((resolve) => setImmediate(resolve));
  }

  #pick(below: number): number {
    return Math.floor(this.#random() * below);
  }
}
