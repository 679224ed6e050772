import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  BackgroundWork,
  BLOCK_SIZE_BYTES,
  BlockDamaged,
  ChangeGate,
  discardJobFiles,
  type FaultPlan,
  finishGrowth,
  GatedDevice,
  GuestDevice,
  growVolume,
  InjectedFaults,
  type LimitedDevice,
  limitsOf,
  lockVolume,
  Manifest,
  ManifestDamaged,
  patientStore,
  readVolumeHeader,
  StoreLayout,
  VolumeFile,
  type VolumeHeader,
  type VolumeIo,
  VolumeLimiter,
  type VolumePerformance,
  writeFileDurably,
} from '@holdfast/block-store';
import { type SectorCipher, selectXtsEngine } from '@holdfast/crypto/xts';
import { type NbdServer, type NbdStats, serveNbd } from '@holdfast/nbd';
import { HOST_ERRORS, type HostParams } from '../host-protocol.ts';
import { messageOf, type Peer, PeerError } from '../ipc.ts';
import { GUEST_REPEAT_MS, hostBlockStore } from './block-store.ts';
import { KeptCredits } from './burst-credits.ts';
import { openDataKey } from './data-keys.ts';

/** A host that lost its service flushes before it ends; its successor waits for it so long. */
const LOCK_WAIT_MS = 15_000;
/** Without access for so long, the volume's map is saved as clean. */
const IDLE_SAVE_MS = 2_000;
const RETRY_MS = 1_000;
const MIB = 1_048_576;
const CLOSE_GRACE_MS = 2_000;
/** How long guests' changes wait at most for the other volumes of a set of snapshots, in milliseconds. */
const HOLD_LIMIT_MS = 10_000;

/** One attachment's device: its socket, and the key that was unwrapped for its instance. */
interface Export {
  readonly server: NbdServer;
  readonly device: LimitedDevice;
  readonly cipher: SectorCipher | null;
}

/**
 * One volume, open in this process: its files, its exports, the copying of its snapshots. However many instances it is
 * attached to, all their requests go through one `VolumeFile` on one event loop: what one has been answered, all see.
 */
export class OpenVolume {
  #header: VolumeHeader;
  readonly #peer: Peer;
  readonly #volume: VolumeFile;
  readonly #layout: StoreLayout;
  readonly #unlock: () => void;
  readonly #faults = new InjectedFaults();
  readonly #gate = new ChangeGate();
  readonly #limiter = new VolumeLimiter();
  readonly #credits: KeptCredits;
  readonly #abort = new AbortController();
  readonly #background: BackgroundWork;
  #backgroundRun: Promise<void> | null = null;
  readonly #exports = new Map<string, Export>();
  /** Blocks of the source snapshot; null until somebody asks. */
  #sourceBlocks: number | null = null;
  #sourceDamaged = false;
  readonly #idleTimer: NodeJS.Timeout;

  private constructor(peer: Peer, header: VolumeHeader, layout: StoreLayout, io: VolumeIo, unlock: () => void) {
    this.#peer = peer;
    this.#header = header;
    this.#layout = layout;
    this.#unlock = unlock;
    this.#credits = new KeptCredits(layout, header.volumeId, this.#limiter);
    const log = (level: 'info' | 'warn', message: string) => this.#log(level, message);
    const patience = { signal: this.#abort.signal, log };
    const store = this.#faults.store(patientStore(hostBlockStore(layout, { repeatMs: GUEST_REPEAT_MS }), patience));
    this.#volume = new VolumeFile({ layout, volumeId: header.volumeId, sizeGiB: header.sizeGiB, store, io });
    this.#background = new BackgroundWork(this.#volume, this.#abort.signal);
    this.#idleTimer = setInterval(() => this.#saveIfIdle(), IDLE_SAVE_MS);
    this.#startBackground();
  }

  /** @throws PeerError VolumeNotFound; VolumeLocked when another process has it open. */
  static async open(peer: Peer, { root, volumeId, io }: HostParams<'OpenVolume'>): Promise<OpenVolume> {
    const layout = new StoreLayout(root);
    const notFound = () => new PeerError(HOST_ERRORS.volumeNotFound, `volume ${volumeId} is not on this host`);
    if (readVolumeHeader(layout, volumeId) === null) throw notFound();
    const unlock = await lockVolume(layout.volume(volumeId).lock, LOCK_WAIT_MS);
    try {
      // Read again: it may have been removed while the lock was held elsewhere.
      const header = readVolumeHeader(layout, volumeId);
      if (header === null) throw notFound();
      finishGrowth(layout, header);
      return new OpenVolume(peer, header, layout, io, unlock);
    } catch (error) {
      unlock();
      throw error;
    }
  }

  get header(): VolumeHeader {
    return this.#header;
  }

  /** Clients that ask again are offered the new size; those that are connected may use it at once. */
  grow(sizeGiB: number): void {
    if (sizeGiB <= this.#header.sizeGiB) return;
    this.#volume.settleForGrowth();
    this.#header = growVolume(this.#layout, this.#header, sizeGiB);
    this.#volume.reopenLarger(sizeGiB);
  }

  setPerformance(performance: VolumePerformance | null): void {
    this.#limiter.set(performance === null ? null : limitsOf(performance));
    if (performance !== null) this.#credits.restore();
  }

  setFaults(faults: FaultPlan | null): void {
    this.#faults.set(faults);
  }

  /** The caller ends this process. */
  async losePower(): Promise<void> {
    const [served] = this.#exports.values();
    // Whatever instance wrote it, one device's cipher is every one's.
    if (served !== undefined) await this.#faults.losePower(new GuestDevice(this.#volume, served.cipher));
  }

  get backgroundNeeded(): boolean {
    return this.#background.isNeeded;
  }

  /** Opens one more export; idempotent for the same path. @throws PeerError KmsKeyUnusable, WrongDataKey */
  async attach(socketPath: string): Promise<{ keyCheck: string | null }> {
    const keyCheck = this.header.dataKey?.keyCheck ?? null;
    if (this.#exports.has(socketPath)) return { keyCheck };
    const key = keyCheck === null ? null : await openDataKey(this.#peer, 'volume', keyCheck);
    const cipher = key?.cipher ?? null;
    try {
      // Only a plan of faults costs anything; none comes in production.
      const gated = new GatedDevice(this.#faults.device(new GuestDevice(this.#volume, cipher)), this.#gate);
      const device = this.#limiter.device(gated);
      const server = await serveNbd({
        listen: { socketPath },
        exports: (name) => (name === '' || name === this.header.volumeId ? device : null),
        exportNames: () => [''],
        onConnectionError: (error) => this.#log('warn', `a client's connection ended: ${error.message}`),
      });
      this.#exports.set(socketPath, { server, device, cipher });
    } catch (error) {
      cipher?.destroy();
      throw error;
    }
    if (cipher !== null) this.#logEngine();
    return { keyCheck };
  }

  #logEngine(): void {
    const { engine, fallbackReason } = selectXtsEngine();
    if (fallbackReason === null) this.#log('info', `encrypting with ${engine.name}`);
    else this.#log('warn', `encrypting with ${engine.name}, not with the faster addon: ${fallbackReason}`);
  }

  /** Ends one export, whose writes are durable afterwards; the others go on. Idempotent. */
  async detach(socketPath: string): Promise<void> {
    await this.#end(socketPath, true);
    await this.#volume.flush();
  }

  async #end(socketPath: string, forGood: boolean): Promise<void> {
    const served = this.#exports.get(socketPath);
    this.#exports.delete(socketPath);
    served?.device.release();
    await served?.server.close({ graceMs: CLOSE_GRACE_MS, toReturn: !forGood });
    served?.cipher?.destroy();
  }

  /** No change of a guest's is under way when it resolves, and none begins before `release`. */
  hold(): Promise<void> {
    return this.#gate.hold(HOLD_LIMIT_MS);
  }

  release(): void {
    this.#gate.release();
  }

  /** @param held whether it must have stood still since `hold`. @returns as `VolumeFile.freeze`. @throws PeerError NotHeld */
  async freeze(snapshotId: string, held: boolean): Promise<number | null> {
    if (held && !this.#gate.isHeld) throw new PeerError(HOST_ERRORS.notHeld, 'the volume was written to again');
    const { volumeId, sizeGiB, dataKey } = this.header;
    const heldMs = await this.#volume.freeze({ snapshotId, volumeId, sizeGiB, dataKey });
    this.#startBackground();
    return heldMs;
  }

  initialization(): { blocks: number; missing: number; damaged: boolean } {
    const { missing } = this.#volume.map;
    if (!this.#volume.hydrating) return { blocks: 0, missing: 0, damaged: false };
    this.#sourceBlocks ??= [...Manifest.read(this.#volume.paths.source)].length;
    return { blocks: this.#sourceBlocks, missing, damaged: this.#sourceDamaged };
  }

  /** Of each export; `engine` is null where nothing is encrypted. */
  stats(): { engine: string | null; exports: NbdStats[] } {
    const served = [...this.#exports.values()];
    const engine = served.some(({ cipher }) => cipher !== null) ? selectXtsEngine().engine.name : null;
    return { engine, exports: served.map(({ server }) => server.stats()) };
  }

  /**
   * Ends the exports, makes everything durable, and gives the volume up.
   * @param forGood nothing takes this process's place: guests see errors; else a pause.
   */
  async close(forGood: boolean): Promise<void> {
    clearInterval(this.#idleTimer);
    this.#abort.abort();
    this.#gate.release();
    await Promise.all([...this.#exports.keys()].map((socketPath) => this.#end(socketPath, forGood)));
    await this.#backgroundRun;
    await this.#volume.flush();
    await this.#volume.saveClean();
    this.#saveCredits();
    this.#volume.close();
    this.#unlock();
  }

  /** Without them the volume is as if new, which is no reason not to close it. */
  #saveCredits(): void {
    try {
      this.#credits.save();
    } catch (error) {
      this.#log('error', `cannot keep its burst credits: ${messageOf(error)}`);
    }
  }

  #saveIfIdle(): void {
    if (performance.now() - this.#volume.lastAccessMs < IDLE_SAVE_MS) return;
    this.#volume.saveClean().catch((error: unknown) => this.#log('error', `cannot save the map: ${messageOf(error)}`));
  }

  #startBackground(): void {
    if (this.#abort.signal.aborted) return;
    this.#backgroundRun ??= this.#runBackground().finally(() => {
      this.#backgroundRun = null;
      if (this.#background.isNeeded) this.#startBackground();
      else if (!this.#abort.signal.aborted) this.#peer.notify('Idle');
    });
  }

  async #runBackground(): Promise<void> {
    while (this.#background.isNeeded && !this.#abort.signal.aborted) {
      try {
        await this.#stepAtRate();
      } catch (error) {
        this.#log('error', `background work failed: ${messageOf(error)}`);
        this.#sourceDamaged ||= error instanceof BlockDamaged;
        this.#failFreeze(error);
        await sleep(RETRY_MS, undefined, { signal: this.#abort.signal }).catch(() => undefined);
      }
    }
  }

  /** Fetches no faster than the volume was to be initialized; what its guests fetch by their accesses counts too. */
  async #stepAtRate(): Promise<void> {
    const { map } = this.#volume;
    const [startedMs, missing] = [performance.now(), map.missing];
    await this.#background.step();
    const { initializationRateMiBps: rate } = this.#header;
    if (rate === undefined) return;
    const fetchedMiB = ((missing - this.#volume.map.missing) * BLOCK_SIZE_BYTES) / MIB;
    const earlyMs = (fetchedMiB / rate) * 1_000 - (performance.now() - startedMs);
    if (earlyMs > 0) await sleep(earlyMs, undefined, { signal: this.#abort.signal }).catch(() => undefined);
  }

  /** What can't get better by trying again; a full disk or an input error can. Never throws: who calls it waits, and tries again. */
  #failFreeze(error: unknown): void {
    const freeze = this.#volume.freezes[0];
    if (freeze === undefined || !(error instanceof ManifestDamaged || error instanceof BlockDamaged)) return;
    try {
      // Without its folder there is nobody to tell.
      if (existsSync(freeze.paths.folder))
        writeFileDurably(freeze.paths.failed, JSON.stringify({ reason: error.message }));
      this.#volume.failOldestFreeze();
      discardJobFiles(freeze.paths);
    } catch (failure) {
      this.#log('error', `cannot give a snapshot up: ${messageOf(failure)}`);
    }
  }

  #log(level: 'info' | 'warn' | 'error', message: string): void {
    this.#peer.notify('Log', { level, message: `${this.header.volumeId}: ${message}` });
  }
}
