import { defineService } from '@holdfast/service-kit';
import { dataPlaneRequests } from './adapters/inbound/requests.ts';
import { AllocateVolume } from './application/allocate-volume.ts';
import { DataPlane } from './application/data-plane.ts';
import { Snapshots } from './application/snapshots.ts';
import { DataPlaneModule } from './data-plane.module.ts';

export const start = defineService({
  name: 'data-plane',
  module: (parts) => DataPlaneModule.register(parts),
  requests: (app) => dataPlaneRequests(app.get(DataPlane), app.get(AllocateVolume), app.get(Snapshots)),
  reset: (app) => app.get(DataPlane).reset(),
});
