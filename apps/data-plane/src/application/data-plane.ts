import { copyFileSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import { randomBytes, randomUUID } from 'node:crypto';
import { basename, join } from 'node:path';
import {
  type DevicePool,
  makeDirectory,
  type ObjectStore,
  removeVolumeFiles,
  StoreLayout,
} from '@holdfast/block-store';
import {
  accountId,
  AwsError,
  type InternalRequests,
  region,
  type RequestContext,
  volumeId as parseVolumeId,
} from '@holdfast/contracts';
import type { Requests } from '@holdfast/messaging';
import type { Logger } from '@holdfast/service-kit';
import { faultsSchema, freezeReply, performanceSchema } from '../host-protocol.ts';
import { refusal } from '../errors.ts';
import type { HostProcess } from '../host-process.ts';
import { CHANNEL_CLOSED, PeerError } from '../ipc.ts';
import type { NoteFreeze } from '../metrics.ts';
import { Serial } from '../serial.ts';
import { takeBlockStore } from './take-block-store.ts';
import type { AllocateVolume } from './allocate-volume.ts';
import type { Archives } from './archives.ts';
import { FreezeTogether } from './freeze-together.ts';
import type { BlockTransfers } from './block-transfers.ts';
import type { BlockUploads } from './block-uploads.ts';
import type { HostTasks } from './host-tasks.ts';
import type { IndexMirror } from './index-mirror.ts';
import type { SnapshotExports } from './snapshot-exports.ts';
import type { Snapshots } from './snapshots.ts';
import type { TlsExports } from './tls-exports.ts';
import type { VolumeHosts } from './volume-hosts.ts';

type Input<Action extends keyof InternalRequests['data-plane']> = InternalRequests['data-plane'][Action]['in'];

export interface DataPlaneParts {
  readonly home: string;
  readonly isDevelopment: boolean;
  readonly hostId: string;
  readonly layout: StoreLayout;
  /** Where the segments are, unless blocks are in a folder. */
  readonly objects: ObjectStore | undefined;
  readonly mirror: IndexMirror | undefined;
  readonly bus: Pick<Requests, 'call'>;
  readonly logger: Logger;
  readonly hosts: VolumeHosts;
  readonly devices: DevicePool;
  readonly tasks: HostTasks;
  readonly allocateVolume: AllocateVolume;
  readonly snapshots: Snapshots;
  readonly snapshotExports: SnapshotExports;
  readonly tlsExports: TlsExports;
  readonly archives: Archives;
  readonly transfers: BlockTransfers;
  readonly uploads: BlockUploads;
  readonly noteFreeze: NoteFreeze;
}

const ASK_DEADLINE_MS = 3_000;
const ASK_AGAIN_MS = 500;
const FREEZE_ATTEMPTS = 10;
const FREEZE_AGAIN_MS = 100;

/** This host: starts, stops, and is asked for what no class of its own answers. */
export class DataPlane {
  #stopped = false;
  readonly #sets = new Serial<string>();
  readonly #together: FreezeTogether;

  constructor(private readonly parts: DataPlaneParts) {
    this.#together = new FreezeTogether(parts.hosts, parts.noteFreeze);
  }

  /** Goes on with what a stop or a crash interrupted; exports open again as soon as `volumes` and `kms` answer. */
  async start(): Promise<void> {
    const { layout, home, snapshots } = this.parts;
    for (const folder of [layout.root, layout.volumes, layout.blocks, layout.snapshots]) makeDirectory(folder);
    await takeBlockStore(layout, this.parts.objects, this.parts.logger);
    for (const entry of await readdir(home)) {
      if (/^data-plane\.[0-9a-f]{8}\.removed$/.test(entry))
        void rm(join(home, entry), { recursive: true, force: true });
    }
    this.parts.devices.start();
    await this.#removeStaleSockets();
    snapshots.resume();
    for (const volumeId of layout.volumeIds()) this.parts.hosts.continueInBackground(parseVolumeId(volumeId));
    void this.#reopenExports();
    await this.parts.tlsExports.start();
  }

  /** Called by Nest when the service closes. */
  async onApplicationShutdown(): Promise<void> {
    this.#stopped = true;
    const { devices, snapshots, snapshotExports, tlsExports, archives, hosts, tasks, transfers, uploads } = this.parts;
    await tlsExports.close();
    await Promise.all([devices.close(), snapshots.close(), archives.close(), uploads.close()]);
    await Promise.all([hosts.closeAll(), tasks.killAll(), transfers.close(), snapshotExports.closeAll()]);
  }

  /** Idempotent. @throws AwsError VolumeBusy */
  async removeVolume({ volumeId }: Input<'RemoveVolume'>): Promise<Record<string, never>> {
    const { hosts, devices, layout } = this.parts;
    await hosts.exclusively(volumeId, () => {
      devices.release(volumeId);
      removeVolumeFiles(layout, volumeId);
      return Promise.resolve();
    });
    return {};
  }

  /** What the disk has room for is not asked where files are sparse; a device is as large as it is. @throws AwsError VolumeNotFound, InsufficientVolumeCapacity */
  checkGrowth({ volumeId, sizeGiB }: Input<'CheckGrowth'>): Record<string, never> {
    this.parts.hosts.checkGrowth(volumeId, sizeGiB);
    return {};
  }

  /** Idempotent. @throws AwsError VolumeNotFound, InsufficientVolumeCapacity */
  async growVolume({ volumeId, sizeGiB }: Input<'GrowVolume'>): Promise<Record<string, never>> {
    this.parts.hosts.checkGrowth(volumeId, sizeGiB);
    await this.parts.hosts.grow(volumeId, sizeGiB);
    return {};
  }

  /** Idempotent. */
  async setPerformance({ volumeId, performance }: Input<'SetPerformance'>): Promise<Record<string, never>> {
    await this.parts.hosts.setPerformance(volumeId, performanceSchema.parse(performance));
    return {};
  }

  /** @throws AwsError UnsupportedOperation in production, VolumeNotFound */
  async setFaults({ volumeId, faults, losePower = false }: Input<'SetFaults'>): Promise<Record<string, never>> {
    if (!this.parts.isDevelopment) throw new AwsError({ code: 'UnsupportedOperation' });
    const plan = faults === null ? null : faultsSchema.parse(faults);
    await this.parts.hosts.setFaults(volumeId, plan, losePower);
    return {};
  }

  async openExport(input: Input<'OpenExport'>): Promise<{ socketPath: string }> {
    return { socketPath: await this.parts.hosts.open(input) };
  }

  async closeExport({ volumeId, instanceId }: Input<'CloseExport'>): Promise<Record<string, never>> {
    await this.parts.hosts.close(volumeId, instanceId);
    return {};
  }

  /** Idempotent: a host that ends meanwhile is followed by one that knows what was frozen. @throws AwsError VolumeNotFound */
  async freezeSnapshot({ snapshotId, volumeId }: Input<'FreezeSnapshot'>): Promise<Record<string, never>> {
    const { snapshots, hosts, noteFreeze } = this.parts;
    const freeze = async (host: HostProcess) => {
      const { heldMs } = freezeReply.parse(await host.call('Freeze', { snapshotId }));
      if (heldMs !== null) noteFreeze('volume', heldMs);
    };
    for (let attempt = 1; ; attempt++) {
      try {
        if (snapshots.progress(snapshotId).state === 'unknown') await hosts.withHost(volumeId, freeze);
        return {};
      } catch (error) {
        const hostEnded = error instanceof PeerError && error.code === CHANNEL_CLOSED;
        if (!hostEnded || attempt === FREEZE_ATTEMPTS || this.#stopped) throw error;
        await new Promise((resolve) => setTimeout(resolve, FREEZE_AGAIN_MS).unref());
      }
    }
  }

  /** @throws AwsError VolumeNotFound, SetIncomplete */
  freezeSnapshots({ snapshots: members }: Input<'FreezeSnapshots'>): Promise<Record<string, never>> {
    const name = members.map(({ snapshotId }) => snapshotId).join(' ');
    return this.#sets.run(name, async () => {
      const isUnknown = ({ snapshotId }: (typeof members)[number]) =>
        this.parts.snapshots.progress(snapshotId).state === 'unknown';
      if (members.every(isUnknown)) await this.#together.run(members);
      else if (members.some(isUnknown)) throw refusal('SetIncomplete', 'not all volumes were frozen at one moment');
      return {};
    });
  }

  async startSnapshotCopy(input: Input<'StartSnapshotCopy'>): Promise<Record<string, never>> {
    await this.parts.snapshots.startCopy(input);
    return {};
  }

  async removeSnapshot({ snapshotId }: Input<'RemoveSnapshot'>): Promise<Record<string, never>> {
    await this.parts.archives.stop(snapshotId);
    await this.parts.snapshotExports.closeOf(snapshotId);
    this.parts.snapshots.remove(snapshotId);
    return {};
  }

  /** Development mode: as if this host had just been set up. */
  async reset(): Promise<void> {
    const { hosts, devices, tasks, snapshots, snapshotExports, archives, transfers, uploads, layout, home } =
      this.parts;
    await Promise.all([snapshots.close(), archives.close(), uploads.close()]);
    await Promise.all([hosts.killAll(), tasks.killAll(), transfers.kill(), snapshotExports.closeAll()]);
    // Moved away in one step; the bytes go in their own time.
    const aside = join(home, `data-plane.${randomBytes(4).toString('hex')}.removed`);
    await rename(layout.root, aside);
    rmSync(join(home, 'instances'), { recursive: true, force: true });
    for (const folder of [layout.root, layout.volumes, layout.blocks, layout.snapshots]) makeDirectory(folder);
    if (existsSync(join(aside, basename(layout.claim))))
      copyFileSync(join(aside, basename(layout.claim)), layout.claim);
    devices.reset();
    snapshots.reopen();
    // What is in an object store goes by collection.
    if (this.parts.mirror !== undefined) {
      for (const snapshotId of new StoreLayout(aside).snapshotIds()) {
        const { folder, removed } = layout.snapshot(snapshotId);
        makeDirectory(folder);
        writeFileSync(removed, '', { mode: 0o600 });
      }
      this.parts.mirror.reset();
      snapshots.collect();
    }
    void rm(aside, { recursive: true, force: true });
  }

  async #reopenExports(): Promise<void> {
    const { bus, hosts, hostId, logger } = this.parts;
    while (!this.#stopped) {
      try {
        const { attachments } = await bus.call('volumes', 'ListHostAttachments', { hostId }, hostContext());
        for (const attachment of attachments) hosts.reopen(attachment);
        hosts.restored();
        return;
      } catch (error) {
        logger.debug({ err: error }, 'cannot ask for attachments yet');
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS).unref());
      }
    }
  }

  /** Of hosts that were killed. A device that shows up again is one that is served again. */
  async #removeStaleSockets(): Promise<void> {
    const instances = join(this.parts.home, 'instances');
    await rm(instances, { recursive: true, force: true });
    makeDirectory(instances);
  }
}

/** Of requests that the host makes for itself and for no account. */
const hostContext = (): RequestContext => ({
  requestId: randomUUID(),
  accountId: accountId('000000000000'),
  region: region('us-east-1'),
  principal: {
    type: 'AWSService',
    arn: 'ec2.amazonaws.com',
    accountId: accountId('000000000000'),
    principalId: 'ec2.amazonaws.com',
  },
  sourceIp: 'AWS Internal',
  userAgent: 'AWS Internal',
  deadlineMs: Date.now() + ASK_DEADLINE_MS,
});
