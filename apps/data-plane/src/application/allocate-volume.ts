import { existsSync } from 'node:fs';
import {
  createEmptyVolume,
  createRestoredVolume,
  type DevicePool,
  type KeyReference,
  Manifest,
  ManifestDamaged,
  MAX_VOLUME_GIB,
  NoDeviceLeft,
  readVolumeHeader,
  removeVolumeFiles,
  type StoreLayout,
} from '@holdfast/block-store';
import type { AwsError, DataKeyUse, InternalRequests, VolumeId } from '@holdfast/contracts';
import { asRefusal, refusal } from '../errors.ts';
import { initializationReply } from '../host-protocol.ts';
import { PeerError } from '../ipc.ts';
import type { HostTasks } from './host-tasks.ts';
import type { VolumeHosts } from './volume-hosts.ts';

type AllocateVolumeRequest = InternalRequests['data-plane']['AllocateVolume']['in'];

/** How long a request is kept waiting before its caller is asked to come again, in milliseconds. */
const ANSWER_WITHIN_MS = 2_000;

/** A wrapped data key as it is kept with ciphertext: without the principal who had it unwrapped. */
export const keyReference = (
  { keyArn, encryptedDataKey, encryptionContext, dataKeyId }: DataKeyUse,
  keyCheck: string,
): KeyReference => ({ keyArn, encryptedDataKey, encryptionContext, dataKeyId, keyCheck });

/** Who waits for a damaged block waits for good: a volume that needs all of them at once can't be made, as a copy can't. */
const damageOf = (error: unknown): AwsError | null => {
  const ofHost = error instanceof PeerError && (error.code === 'BlockDamaged' || error.code === 'ManifestDamaged');
  return ofHost || error instanceof ManifestDamaged ? refusal('SnapshotDamaged', error.message) : null;
};

/** Makes volumes; one at a time per volume, however often it is asked. */
export class AllocateVolume {
  /** Running, or failed and not yet told. */
  readonly #allocations = new Map<VolumeId, Promise<void>>();

  constructor(
    private readonly layout: StoreLayout,
    private readonly tasks: HostTasks,
    private readonly hosts: VolumeHosts,
    private readonly devices: DevicePool,
    private readonly hostId: string,
  ) {}

  /** @throws AwsError KmsKeyUnusable, SnapshotNotFound, SnapshotDamaged, VolumeExists, EncryptionMismatch, InsufficientVolumeCapacity; InProgress: ask again. */
  async run(request: AllocateVolumeRequest): Promise<{ hostId: string }> {
    const { volumeId } = request;
    const running = this.#allocations.get(volumeId) ?? this.#begin(request);
    const finished = await this.#within(running);
    if (!finished) throw refusal('InProgress', `volume ${volumeId} is being allocated`);
    return { hostId: this.hostId };
  }

  /** Whether a volume is being made. */
  isRunning(volumeId: VolumeId): boolean {
    return this.#allocations.has(volumeId);
  }

  #begin(request: AllocateVolumeRequest): Promise<void> {
    const { volumeId } = request;
    const running = this.#allocate(request);
    this.#allocations.set(volumeId, running);
    // A failure stays until somebody has been told.
    running.then(
      () => this.#allocations.delete(volumeId),
      () => undefined,
    );
    return running;
  }

  async #within(running: Promise<void>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<false>((resolve) => {
      timer = setTimeout(() => resolve(false), ANSWER_WITHIN_MS);
    });
    try {
      return await Promise.race([running.then(() => true as const), late]);
    } catch (error) {
      for (const [volumeId, failed] of this.#allocations) if (failed === running) this.#allocations.delete(volumeId);
      throw damageOf(error) ?? asRefusal(error);
    } finally {
      clearTimeout(timer);
    }
  }

  async #allocate(request: AllocateVolumeRequest): Promise<void> {
    const { volumeId, sizeGiB, dataKey, source } = request;
    if (!Number.isSafeInteger(sizeGiB) || sizeGiB < 1 || sizeGiB > MAX_VOLUME_GIB) {
      throw new RangeError(`a volume of ${String(sizeGiB)} GiB`);
    }
    const existing = readVolumeHeader(this.layout, volumeId);
    if (existing !== null) {
      if (existing.sizeGiB === sizeGiB && existing.dataKey?.dataKeyId === dataKey?.dataKeyId)
        return this.#checkInitialized(request);
      throw refusal('VolumeExists', `volume ${volumeId} exists and is not what the request describes`);
    }
    if (source === undefined) return this.#allocateEmpty(request);
    const { dataKey: sourceKey, snapshotId } = source;
    const manifest = this.#sourceManifest(snapshotId, sourceKey);
    if (manifest.header.sizeGiB > sizeGiB) {
      throw refusal(
        'EncryptionMismatch',
        `${snapshotId} has ${String(manifest.header.sizeGiB)} GiB, more than the volume`,
      );
    }
    if (dataKey?.dataKeyId !== sourceKey?.dataKeyId) return this.#reEncrypt(request);
    // One lineage, one data key: the ciphertext is used as it is, and nobody here has a grant to unwrap the key. An attachment
    // holds it against the snapshot's check.
    const keyCheck = manifest.header.dataKey?.keyCheck;
    const header = {
      format: 1,
      volumeId,
      sizeGiB,
      dataKey: dataKey === undefined || keyCheck === undefined ? null : keyReference(dataKey, keyCheck),
      sourceSnapshotId: snapshotId,
      initializationRateMiBps: request.initializationRateMiBps,
    } as const;
    this.#allotDevice(volumeId, sizeGiB);
    createRestoredVolume(this.layout, header, this.layout.snapshot(snapshotId).manifest);
    this.hosts.continueInBackground(volumeId);
    await this.#checkInitialized(request);
  }

  /** @throws AwsError InProgress while blocks are missing that the request wants to be there, and can be. */
  async #checkInitialized({ volumeId, initialized = false }: AllocateVolumeRequest): Promise<void> {
    if (!initialized || !existsSync(this.layout.volume(volumeId).source)) return;
    this.hosts.continueInBackground(volumeId);
    const answer = await this.hosts
      .hostOf(volumeId)
      ?.call('Initialization', {})
      .catch(() => null);
    // As without fast restore, the guest has the others, and EIO for what is damaged.
    if (initializationReply.safeParse(answer).data?.damaged === true) return;
    throw refusal('InProgress', `volume ${volumeId} is being initialized`);
  }

  async #allocateEmpty({ volumeId, sizeGiB, dataKey }: AllocateVolumeRequest): Promise<void> {
    const reference = dataKey === undefined ? null : keyReference(dataKey, await this.tasks.proveKey(dataKey));
    this.#allotDevice(volumeId, sizeGiB);
    createEmptyVolume(this.layout, { format: 1, volumeId, sizeGiB, dataKey: reference, sourceSnapshotId: null });
  }

  /** In a process that holds both keys and ends with the last block. */
  async #reEncrypt({ volumeId, sizeGiB, dataKey, source }: AllocateVolumeRequest): Promise<void> {
    if (dataKey === undefined || source === undefined) {
      throw refusal(
        'EncryptionMismatch',
        'encryption is never taken away: an encrypted snapshot makes encrypted volumes',
      );
    }
    this.#allotDevice(volumeId, sizeGiB);
    try {
      await this.tasks.reEncryptVolume(
        { volumeId, sizeGiB, sourceSnapshotId: source.snapshotId },
        source.dataKey,
        dataKey,
      );
    } catch (error) {
      // Whoever asks again begins again; a volume that nobody asks for must not keep its space.
      if (readVolumeHeader(this.layout, volumeId) === null) {
        this.devices.release(volumeId);
        removeVolumeFiles(this.layout, volumeId);
      }
      throw error;
    }
  }

  /** Where volumes are on devices. @throws AwsError InsufficientVolumeCapacity */
  #allotDevice(volumeId: VolumeId, sizeGiB: number): void {
    if (!this.devices.isUsed) return;
    try {
      this.devices.allot(volumeId, sizeGiB);
    } catch (error) {
      throw error instanceof NoDeviceLeft ? refusal('InsufficientVolumeCapacity', error.message) : error;
    }
  }

  #sourceManifest(snapshotId: string, sourceKey: DataKeyUse | undefined): Manifest {
    const paths = this.layout.snapshot(snapshotId);
    if (!existsSync(paths.manifest) || existsSync(paths.removed)) {
      throw refusal('SnapshotNotFound', `snapshot ${snapshotId} is not on this host`);
    }
    const manifest = Manifest.read(paths.manifest);
    if (manifest.header.dataKey?.dataKeyId !== sourceKey?.dataKeyId) {
      throw refusal('EncryptionMismatch', `snapshot ${snapshotId} is not under the data key that the request names`);
    }
    return manifest;
  }
}
