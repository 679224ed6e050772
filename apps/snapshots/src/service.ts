import { defineService, type StartService } from '@holdfast/service-kit';
import { snapshotMigrations } from './adapters/outbound/snapshot-details.migration.ts';
import { EBS_DIRECT_REQUESTS, withEbsDirect } from './ebs-direct.module.ts';
import { FEATURE_REQUESTS, withFeatures } from './features.module.ts';
import type { ProvideAmazonSnapshots } from './application/provide-amazon-snapshots.ts';
import { AMAZON_SNAPSHOTS, CONSUMERS, REQUESTS, SnapshotsModule } from './snapshots.module.ts';

export const start = defineService({
  name: 'snapshots',
  migrations: snapshotMigrations,
  module: (parts) => withFeatures(withEbsDirect(SnapshotsModule.with(parts), parts), parts),
  requests: (app) => ({
    ...app.get<object>(REQUESTS),
    ...app.get<object>(EBS_DIRECT_REQUESTS),
    ...app.get<object>(FEATURE_REQUESTS),
  }),
  consumers: (app) => app.get(CONSUMERS),
  reset: (app) => app.get<ProvideAmazonSnapshots>(AMAZON_SNAPSHOTS).run(),
}) satisfies StartService;
