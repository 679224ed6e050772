import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { assertDirectIo, DevicePool, openBlockStore, openObjects, StoreLayout } from '@holdfast/block-store';
import type { SnapshotId } from '@holdfast/contracts';
import type { Logger, ServiceParts } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { AllocateVolume } from './application/allocate-volume.ts';
import { Archives } from './application/archives.ts';
import { BlockTransfers } from './application/block-transfers.ts';
import { BlockUploads } from './application/block-uploads.ts';
import { DataPlane } from './application/data-plane.ts';
import { HostTasks } from './application/host-tasks.ts';
import { IndexMirror } from './application/index-mirror.ts';
import { Initializations } from './application/initializations.ts';
import { SnapshotExports } from './application/snapshot-exports.ts';
import { Snapshots, type UploadWork } from './application/snapshots.ts';
import { TlsExports } from './application/tls-exports.ts';
import { VolumeHosts } from './application/volume-hosts.ts';
import { type Settings, settingsSchema } from './config.ts';
import { KmsKeys } from './kms-keys.ts';
import { countNbdOperations, measureFreezes } from './metrics.ts';
import { storeEnvironment } from './store-environment.ts';

/** The build puts shared code one folder above the entry points, so the block host is beside this file or below it. */
const builtBlockHost = (): string => {
  const candidates = ['./block-host.js', './data-plane/block-host.js'];
  const paths = candidates.map((path) => fileURLToPath(new URL(path, import.meta.url)));
  const found = paths.find((path) => existsSync(path));
  if (found === undefined) throw new Error(`the block host is not built: none of ${paths.join(', ')} exists`);
  return found;
};

@Module({})
export class DataPlaneModule {
  static register({ environment, bus, clock, logger, metrics }: ServiceParts): DynamicModule {
    const settings = checkedSettings(environment.settings);
    const { home, hostId, blockHostPath, blocksListen, blocksUrl } = settings;
    const isDevelopment = environment.mode === 'development';
    const isLimited = (settings.volumeLimits ?? (isDevelopment ? 'off' : 'enforced')) === 'enforced';
    const layout = new StoreLayout(join(home, 'data-plane'));
    const objects = openObjects(settings.blockStore);
    const mirror = objects === undefined ? undefined : new IndexMirror(objects, layout, logger);
    const shared = {
      ...{ layout, logger, scriptPath: blockHostPath ?? builtBlockHost(), keys: new KmsKeys(bus) },
      storeEnvironment: storeEnvironment(settings.blockStore, process.env),
    };
    const devices = devicePool(layout, settings, logger);
    const tasks = new HostTasks(shared);
    const hosts = new VolumeHosts({ ...shared, home, isLimited, volumeIo: settings.volumeIo });
    const tlsExports = new TlsExports({
      ...shared,
      settings: settings.nbdTls ?? null,
      locate: (name, identities) => hosts.locate(name, identities),
    });
    // Uploads end as snapshots do, and snapshots tell of their uploads.
    const transfers = new BlockTransfers({
      ...{ ...shared, home, blocksListen, blocksUrl },
      onPut: (snapshotId, progress) => uploads.noted(snapshotId, progress),
    });
    const closeBlocks = (snapshotId: string) => transfers.closeBlocks(snapshotId);
    const uploadWork: UploadWork = {
      resume: (snapshotId, job) => uploads.resume(snapshotId, job),
      progress: (snapshotId) => uploads.progress(snapshotId),
      closeBlocks,
    };
    const snapshots: Snapshots = new Snapshots(layout, tasks, logger, uploadWork, mirror);
    const snapshotExports = new SnapshotExports({ ...shared, home });
    const archives = new Archives(
      layout,
      () => openBlockStore(layout, settings.blockStore),
      logger,
      () => snapshots.collect(),
      mirror,
    );
    const fail = (snapshotId: SnapshotId, reason: string) => snapshots.fail(snapshotId, reason);
    const uploads: BlockUploads = new BlockUploads({ layout, tasks, clock, logger, closeBlocks, fail });
    const allocateVolume = new AllocateVolume(layout, tasks, hosts, devices, hostId);
    const parts = {
      ...{ home, isDevelopment, hostId, layout, objects, mirror, bus, logger, hosts, devices, tasks, allocateVolume },
      ...{ snapshots, snapshotExports, tlsExports, archives, transfers, uploads },
      noteFreeze: measureFreezes(metrics),
    };
    countNbdOperations(metrics, hosts);
    return {
      module: DataPlaneModule,
      providers: [
        {
          provide: DataPlane,
          useFactory: async () => {
            const dataPlane = new DataPlane(parts);
            await dataPlane.start();
            return dataPlane;
          },
        },
        { provide: AllocateVolume, useValue: allocateVolume },
        { provide: Snapshots, useValue: snapshots },
        { provide: SnapshotExports, useValue: snapshotExports },
        { provide: Initializations, useValue: new Initializations(layout, hosts) },
        { provide: Archives, useValue: archives },
        { provide: BlockTransfers, useValue: transfers },
        { provide: BlockUploads, useValue: uploads },
        { provide: VolumeHosts, useValue: hosts },
      ],
    };
  }
}

/** @throws Error saying what is wrong, or can't be had here. */
const checkedSettings = (given: unknown): Settings => {
  const settings = settingsSchema.parse(given ?? {});
  if (settings.volumeIo === 'direct') assertDirectIo(settings.home);
  return settings;
};

const devicePool = (layout: StoreLayout, settings: Settings, logger: Logger): DevicePool =>
  new DevicePool({
    layout,
    sources: settings.volumeDevices,
    overwrite: settings.overwriteDevices,
    log: (level, message) => logger[level](message),
  });
