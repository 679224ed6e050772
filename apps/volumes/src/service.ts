import { defineService, type StartService } from '@holdfast/service-kit';
import { volumeMigrations } from './adapters/outbound/volume-details.migration.ts';
import { CONSUMERS, REQUESTS, VolumesModule } from './volumes.module.ts';

export const start = defineService({
  name: 'volumes',
  migrations: volumeMigrations,
  module: (parts) => VolumesModule.with(parts),
  requests: (app) => app.get(REQUESTS),
  consumers: (app) => app.get(CONSUMERS),
}) satisfies StartService;
