import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readVolumeHeader, type StoreLayout, type VolumeIo } from '@holdfast/block-store';
import {
  type DeviceFaults,
  type HostAttachment,
  type InstanceId,
  type VolumeId,
  type VolumePerformanceRecord,
} from '@holdfast/contracts';
import type { Logger } from '@holdfast/service-kit';
import { asRefusal, refusal } from '../errors.ts';
import { HostProcess } from '../host-process.ts';
import { HOST_ERRORS, openVolumeReply } from '../host-protocol.ts';
import { messageOf } from '../ipc.ts';
import type { KmsKeys } from '../kms-keys.ts';
import { Serial } from '../serial.ts';
import { checkCapacity, checkShared, deviceSocketPath, hasFreezes, needsBackground } from './volume-rules.ts';
import { canLosePower, newSlot, type Slot } from './volume-slot.ts';

const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5_000;
/** Volumes without export that copy snapshots or fetch blocks at once. */
const MAX_BACKGROUND_HOSTS = 2;

export interface VolumeHostsOptions {
  readonly home: string;
  readonly layout: StoreLayout;
  readonly scriptPath: string;
  /** For hosts that need blocks: see `storeEnvironment`. */
  readonly storeEnvironment?: Readonly<Record<string, string>>;
  readonly keys: KmsKeys;
  readonly logger: Logger;
  /** Whether volumes are held to the IOPS and throughput of their types. */
  readonly isLimited: boolean;
  readonly volumeIo: VolumeIo;
}

/** Keeps one block host for each volume that is served or has something to copy, and starts it again when it dies. */
export class VolumeHosts {
  readonly #options: VolumeHostsOptions;
  readonly #slots = new Map<VolumeId, Slot>();
  readonly #serial = new Serial<VolumeId>();
  readonly #background: VolumeId[] = [];
  readonly #backgroundRunning = new Set<VolumeId>();
  /** Closed since the start: a list of attachments that was made before must not open them again. */
  readonly #closed = new Set<string>();
  #restoring = true;
  #closing = false;

  constructor(options: VolumeHostsOptions) {
    this.#options = options;
  }

  /** @returns the path of the export's socket. @throws AwsError VolumeNotFound, VolumeBusy, KmsKeyUnusable */
  async open(attachment: HostAttachment): Promise<string> {
    const { volumeId, instanceId } = attachment;
    const socketPath = this.#socketPath(attachment);
    return this.#serial.run(volumeId, async () => {
      this.#checkEncryption(attachment);
      const slot = this.#slot(volumeId);
      checkShared(this.#options.home, slot.attachments.values(), attachment);
      if (!slot.served.has(instanceId)) {
        await this.#attach(slot, attachment, socketPath);
        slot.attachments.set(instanceId, attachment);
      }
      return socketPath;
    });
  }

  /** Serves what was served before a restart, as soon as it can: errors are retried, not thrown. */
  reopen(attachment: HostAttachment): void {
    if (this.#closed.has(`${attachment.volumeId} ${attachment.instanceId}`)) return;
    this.open(attachment).catch((error: unknown) => {
      this.#options.logger.warn({ err: error, volumeId: attachment.volumeId }, 'cannot open an export again yet');
      if (this.#closing || readVolumeHeader(this.#options.layout, attachment.volumeId) === null) return;
      const slot = this.#slot(attachment.volumeId);
      if (!slot.attachments.has(attachment.instanceId)) slot.attachments.set(attachment.instanceId, attachment);
      this.#restartLater(attachment.volumeId, slot);
    });
  }

  /** Everything that was to be served again is known. */
  restored(): void {
    this.#restoring = false;
    this.#closed.clear();
  }

  close(volumeId: VolumeId, instanceId: InstanceId): Promise<void> {
    if (this.#restoring) this.#closed.add(`${volumeId} ${instanceId}`);
    return this.#serial.run(volumeId, async () => {
      const slot = this.#slots.get(volumeId);
      const attachment = slot?.attachments.get(instanceId);
      if (slot === undefined || attachment === undefined) return;
      slot.attachments.delete(instanceId);
      if (slot.attachments.size > 0) return this.#detach(slot, attachment);
      // The process goes, and the key with it; what is left to copy needs none.
      await this.#stop(volumeId, slot, { forGood: true });
      this.continueInBackground(volumeId);
    });
  }

  /** While nothing else is done with the volume's host; what is then to be copied is copied. @throws AwsError VolumeNotFound */
  withHost(volumeId: VolumeId, work: (host: HostProcess) => Promise<void>): Promise<void> {
    return this.#serial.run(volumeId, async () => {
      this.#header(volumeId);
      const slot = this.#slot(volumeId);
      const host = slot.host ?? (await this.#start(volumeId, slot));
      try {
        await work(host);
      } finally {
        if (slot.attachments.size === 0) this.#backgroundRunning.add(volumeId);
      }
    });
  }

  /** What is new reads as zeros. @throws AwsError VolumeNotFound */
  grow(volumeId: VolumeId, sizeGiB: number): Promise<void> {
    return this.#serial.run(volumeId, async () => {
      if (this.#header(volumeId).sizeGiB >= sizeGiB) return;
      const slot = this.#slot(volumeId);
      const host = slot.host ?? (await this.#start(volumeId, slot));
      try {
        await host.call('Grow', { sizeGiB });
      } finally {
        if (slot.attachments.size === 0 && !this.#needsBackground(volumeId)) {
          await this.#stop(volumeId, slot);
          this.#forget(volumeId, slot);
        }
      }
    });
  }

  /** Whoever attaches the volume later brings its own. */
  setPerformance(volumeId: VolumeId, performance: VolumePerformanceRecord): Promise<void> {
    return this.#serial.run(volumeId, async () => {
      const slot = this.#slots.get(volumeId);
      if (slot === undefined || !this.#options.isLimited) return;
      slot.performance = performance;
      await slot.host?.call('SetPerformance', { performance });
    });
  }

  /**
   * Development mode. They outlast the host's process, which begins with the seed anew.
   * @throws AwsError VolumeNotFound; NothingToLose: nothing keeps what could be lost with the power
   */
  setFaults(volumeId: VolumeId, faults: DeviceFaults | null, losePower: boolean): Promise<void> {
    return this.#serial.run(volumeId, async () => {
      this.#header(volumeId);
      const slot = this.#slot(volumeId);
      if (losePower && !canLosePower(slot)) {
        throw refusal('NothingToLose', `volume ${volumeId} is not served with faults that have loseUnsyncedWrites`);
      }
      slot.faults = faults;
      // It does not live to answer.
      if (losePower) await slot.host?.call('LosePower', {}).catch(() => undefined);
      else await slot.host?.call('SetFaults', { faults });
    });
  }

  /** @throws AwsError VolumeNotFound, InsufficientVolumeCapacity */
  checkGrowth(volumeId: VolumeId, sizeGiB: number): void {
    this.#header(volumeId);
    checkCapacity(this.#options.layout, volumeId, sizeGiB);
  }

  /** Runs `work` while no process has the volume open. @throws AwsError VolumeBusy: exported, or snapshots need it. */
  exclusively(volumeId: VolumeId, work: () => Promise<void>): Promise<void> {
    return this.#serial.run(volumeId, async () => {
      const slot = this.#slots.get(volumeId);
      if (slot !== undefined && slot.attachments.size > 0)
        throw refusal('VolumeBusy', `volume ${volumeId} is exported`);
      if (hasFreezes(this.#options.layout, volumeId)) {
        if (slot === undefined || slot.host === null) this.continueInBackground(volumeId);
        throw refusal('VolumeBusy', `snapshots of volume ${volumeId} are still being copied`);
      }
      if (slot !== undefined) await this.#stop(volumeId, slot);
      await work();
      this.#slots.delete(volumeId);
    });
  }

  /** Starts a host without key for a volume that is not served, if it has something to copy. */
  continueInBackground(volumeId: VolumeId): void {
    if (this.#closing || this.#background.includes(volumeId) || !this.#needsBackground(volumeId)) return;
    this.#background.push(volumeId);
    this.#pumpBackground();
  }

  /** Lets every host flush and end. */
  async closeAll(): Promise<void> {
    this.#closing = true;
    await Promise.all(
      [...this.#slots].map(([volumeId, slot]) => this.#serial.run(volumeId, () => this.#stop(volumeId, slot))),
    );
  }

  /** Development reset: what the hosts hold is thrown away with them. */
  async killAll(): Promise<void> {
    const hosts = [...this.#slots.values()].flatMap(({ host }) => (host === null ? [] : [host]));
    for (const slot of this.#slots.values()) {
      slot.host = null;
      slot.attachments.clear();
    }
    this.#slots.clear();
    this.#background.splice(0);
    this.#backgroundRunning.clear();
    for (const host of hosts) host.kill();
    await Promise.all(hosts.map(({ exited }) => exited));
  }

  /** The volume's host, if one is running. */
  hostOf(volumeId: VolumeId): HostProcess | null {
    return this.#slots.get(volumeId)?.host ?? null;
  }

  /** @returns the socket that serves a volume to one of `identities`: an instance that it is attached to, or the volume itself. */
  locate(name: string, identities: readonly string[]): string | null {
    const slot = [...this.#slots].find(([volumeId]) => volumeId === name)?.[1];
    const isFor = ({ instanceId }: HostAttachment) => identities.includes(instanceId) || identities.includes(name);
    const attachment = [...(slot?.attachments.values() ?? [])].find(isFor);
    return attachment === undefined ? null : this.#socketPath(attachment);
  }

  /** The engine and the NBD counters of each served volume's exports; without those whose host is just starting. */
  async stats(): Promise<ReadonlyMap<VolumeId, unknown>> {
    const served = [...this.#slots].filter(([, { host, attachments }]) => host !== null && attachments.size > 0);
    const answers = await Promise.all(
      served.map(async ([volumeId, { host }]) => [volumeId, await host?.call('Stats', {}).catch(() => null)] as const),
    );
    return new Map(answers.filter(([, stats]) => stats !== null));
  }

  #slot(volumeId: VolumeId): Slot {
    const existing = this.#slots.get(volumeId);
    if (existing !== undefined) return existing;
    const slot = newSlot();
    this.#slots.set(volumeId, slot);
    return slot;
  }

  #needsBackground(volumeId: VolumeId): boolean {
    return needsBackground(this.#options.layout, volumeId);
  }

  #header(volumeId: VolumeId) {
    const header = readVolumeHeader(this.#options.layout, volumeId);
    if (header === null) throw refusal(HOST_ERRORS.volumeNotFound, `volume ${volumeId} is not on this host`);
    return header;
  }

  #checkEncryption({ volumeId, dataKey }: HostAttachment): void {
    const header = this.#header(volumeId);
    if (header.dataKey?.dataKeyId !== dataKey?.dataKeyId) {
      throw refusal('EncryptionMismatch', `volume ${volumeId} is not under the data key that the request names`);
    }
  }

  #socketPath(attachment: HostAttachment): string {
    return deviceSocketPath(this.#options.home, attachment);
  }

  async #start(volumeId: VolumeId, slot: Slot): Promise<HostProcess> {
    const { scriptPath, storeEnvironment, keys, logger, layout, volumeIo: io } = this.#options;
    const host = new HostProcess({
      ...{ scriptPath, storeEnvironment, keys, logger },
      onIdle: () => this.#idle(volumeId, slot),
      onExit: () => this.#exited(volumeId, slot, host),
    });
    slot.host = host;
    try {
      openVolumeReply.parse(await host.call('OpenVolume', { root: layout.root, volumeId, io }));
      await host.call('SetPerformance', { performance: slot.performance });
      if (slot.faults !== null) await host.call('SetFaults', { faults: slot.faults });
      return host;
    } catch (error) {
      slot.host = null;
      host.kill();
      throw asRefusal(error);
    }
  }

  async #attach(slot: Slot, attachment: HostAttachment, socketPath: string): Promise<void> {
    const { volumeId, instanceId, dataKey, performance } = attachment;
    // Of several attachments the first one's: later changes come by `setPerformance`.
    if (this.#options.isLimited && slot.served.size === 0) slot.performance = performance ?? null;
    const host = slot.host ?? (await this.#start(volumeId, slot));
    // Each attachment's key is unwrapped for its own instance.
    if (dataKey === undefined) host.slots.clear();
    else host.slots.set('volume', dataKey);
    try {
      await host.call('SetPerformance', { performance: slot.performance });
      await mkdir(dirname(socketPath), { recursive: true, mode: 0o700 });
      await host.call('Attach', { socketPath, encrypted: dataKey !== undefined });
    } catch (error) {
      if (slot.served.size === 0) {
        await this.#stop(volumeId, slot);
        this.continueInBackground(volumeId);
      }
      throw asRefusal(error);
    } finally {
      host.slots.clear();
    }
    slot.served.add(instanceId);
    slot.restarts = 0;
    this.#backgroundRunning.delete(volumeId);
    this.#pumpBackground();
  }

  /** One of several. What can't be closed alone is closed with its host: no device outlives its grant. */
  async #detach({ host, served }: Slot, attachment: HostAttachment): Promise<void> {
    if (!served.delete(attachment.instanceId)) return;
    try {
      await host?.call('Detach', { socketPath: this.#socketPath(attachment) });
    } catch (error) {
      this.#options.logger.error({ err: error, volumeId: attachment.volumeId }, 'an export did not end by itself');
      host?.kill();
      await host?.exited;
    }
  }

  /** Not an unexpected end: nothing starts it again. */
  async #stop(volumeId: VolumeId, slot: Slot, options?: { forGood: boolean }): Promise<void> {
    const { host } = slot;
    slot.host = null;
    slot.served.clear();
    await host?.close(options);
    this.#backgroundRunning.delete(volumeId);
    this.#pumpBackground();
  }

  #idle(volumeId: VolumeId, slot: Slot): void {
    void this.#serial.run(volumeId, async () => {
      // A freeze may have come in between; the host says again when that is copied.
      if (slot.attachments.size > 0 || slot.host === null || this.#needsBackground(volumeId)) return;
      await this.#stop(volumeId, slot);
      this.#forget(volumeId, slot);
    });
  }

  /** Faults are for the volume, not for the process: they wait for its next one. */
  #forget(volumeId: VolumeId, { faults }: Slot): void {
    if (faults === null) this.#slots.delete(volumeId);
  }

  #exited(volumeId: VolumeId, slot: Slot, host: HostProcess): void {
    if (slot.host !== host) return;
    slot.host = null;
    slot.served.clear();
    this.#backgroundRunning.delete(volumeId);
    this.#options.logger.error({ volumeId, host: host.pid }, 'a block host ended unexpectedly');
    if (!this.#closing) this.#restartLater(volumeId, slot);
  }

  #restartLater(volumeId: VolumeId, slot: Slot): void {
    const delayMs = Math.min(LAST_RESTART_MS, FIRST_RESTART_MS * 2 ** slot.restarts);
    slot.restarts++;
    setTimeout(() => void this.#serial.run(volumeId, () => this.#restart(volumeId, slot)), delayMs).unref();
  }

  async #restart(volumeId: VolumeId, slot: Slot): Promise<void> {
    if (this.#closing || this.#slots.get(volumeId) !== slot) return;
    if (slot.attachments.size === 0) return slot.host === null ? this.continueInBackground(volumeId) : undefined;
    let complete = true;
    for (const attachment of [...slot.attachments.values()].filter(({ instanceId }) => !slot.served.has(instanceId))) {
      try {
        await this.#attach(slot, attachment, this.#socketPath(attachment));
      } catch (error) {
        complete = false;
        this.#options.logger.warn({ volumeId, reason: messageOf(error) }, 'cannot open an export again yet');
      }
    }
    if (!complete) this.#restartLater(volumeId, slot);
  }

  #pumpBackground(): void {
    while (this.#backgroundRunning.size < MAX_BACKGROUND_HOSTS) {
      const volumeId = this.#background.shift();
      if (volumeId === undefined || this.#closing) return;
      this.#backgroundRunning.add(volumeId);
      void this.#serial.run(volumeId, () => this.#runInBackground(volumeId));
    }
  }

  async #runInBackground(volumeId: VolumeId): Promise<void> {
    const slot = this.#slot(volumeId);
    if (slot.host !== null || slot.attachments.size > 0 || readVolumeHeader(this.#options.layout, volumeId) === null) {
      if (slot.attachments.size > 0 || slot.host === null) this.#backgroundRunning.delete(volumeId);
      return;
    }
    try {
      await this.#start(volumeId, slot);
    } catch (error) {
      this.#backgroundRunning.delete(volumeId);
      this.#options.logger.warn({ volumeId, reason: messageOf(error) }, 'cannot copy in the background yet');
      this.#restartLater(volumeId, slot);
    }
  }
}
