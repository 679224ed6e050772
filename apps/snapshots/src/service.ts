import { defineService, type StartService } from '@holdfast/service-kit';
import { snapshotMigrations } from './adapters/outbound/snapshot-details.migration.ts';
import { EBS_DIRECT_REQUESTS, withEbsDirect } from './ebs-direct.module.ts';
import { CONSUMERS, REQUESTS, SnapshotsModule } from './snapshots.module.ts';

export const start = defineService({
  name: 'snapshots',
  migrations: snapshotMigrations,
  module: (parts) => withEbsDirect(SnapshotsModule.with(parts), parts),
  requests: (app) => ({ ...app.get<object>(REQUESTS), ...app.get<object>(EBS_DIRECT_REQUESTS) }),
  consumers: (app) => app.get(CONSUMERS),
}) satisfies StartService;
