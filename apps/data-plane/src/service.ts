import { defineService } from '@holdfast/service-kit';
import { dataPlaneRequests } from './adapters/inbound/requests.ts';
import { AllocateVolume } from './application/allocate-volume.ts';
import { Archives } from './application/archives.ts';
import { BlockTransfers } from './application/block-transfers.ts';
import { BlockUploads } from './application/block-uploads.ts';
import { Initializations } from './application/initializations.ts';
import { DataPlane } from './application/data-plane.ts';
import { SnapshotExports } from './application/snapshot-exports.ts';
import { Snapshots } from './application/snapshots.ts';
import { DataPlaneModule } from './data-plane.module.ts';

export const start = defineService({
  name: 'data-plane',
  module: (parts) => DataPlaneModule.register(parts),
  requests: (app) =>
    dataPlaneRequests({
      dataPlane: app.get(DataPlane),
      allocateVolume: app.get(AllocateVolume),
      initializations: app.get(Initializations),
      archives: app.get(Archives),
      snapshots: app.get(Snapshots),
      snapshotExports: app.get(SnapshotExports),
      uploads: app.get(BlockUploads),
      transfers: app.get(BlockTransfers),
    }),
  reset: (app) => app.get(DataPlane).reset(),
});
