import { defineService, type StartService } from '@holdfast/service-kit';
import { NotificationStream } from './adapters/outbound/notification-stream.ts';
import { AuditModule, CONSUMERS, REQUESTS } from './audit.module.ts';
import { auditMigrations } from './migrations.ts';

export const start = defineService({
  name: 'audit',
  migrations: auditMigrations,
  module: (parts) => AuditModule.with(parts),
  requests: (app) => app.get(REQUESTS),
  consumers: (app) => app.get(CONSUMERS),
  reset: (app) => app.get(NotificationStream, { strict: false }).purge(),
}) satisfies StartService;
