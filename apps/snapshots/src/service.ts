import { defineService, type StartService } from '@holdfast/service-kit';
import { snapshotMigrations } from './adapters/outbound/snapshot-details.migration.ts';
import { CONSUMERS, REQUESTS, SnapshotsModule } from './snapshots.module.ts';

export const start = defineService({
  name: 'snapshots',
  migrations: snapshotMigrations,
  module: (parts) => SnapshotsModule.with(parts),
  requests: (app) => app.get(REQUESTS),
  consumers: (app) => app.get(CONSUMERS),
}) satisfies StartService;
