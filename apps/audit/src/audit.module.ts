import type { ServiceParts } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { auditRequests } from './adapters/inbound/audit-requests.ts';
import { notificationConsumers } from './adapters/inbound/notification.consumer.ts';
import { PlannedClock } from './adapters/inbound/planned-clock.ts';
import { RetentionClock } from './adapters/inbound/retention-clock.ts';
import { DecisionsTable } from './adapters/outbound/decisions.table.ts';
import { PostgresNotificationWork, PostgresPlannedNotifications } from './adapters/outbound/ebs-resources.table.ts';
import { NotificationStream } from './adapters/outbound/notification-stream.ts';
import { Notify } from './application/notify.ts';
import { TellPlanned } from './application/tell-planned.ts';
import { settingsSchema } from './config.ts';

export const REQUESTS = Symbol('audit requests');
export const CONSUMERS = Symbol('audit consumers');

const MIB = 1_048_576;

@Module({})
export class AuditModule {
  static with({ bus, clock, database, environment, inbox, logger }: ServiceParts): DynamicModule {
    const { decisionDays, decisionLimit, notificationDays, notificationMiB } = settingsSchema.parse(
      environment.settings ?? {},
    );
    const stream = new NotificationStream(bus.connection, { days: notificationDays, bytes: notificationMiB * MIB });
    const decisions = new DecisionsTable(database);
    const notify = new Notify(new PostgresNotificationWork(inbox), stream);
    const planned = new TellPlanned(new PostgresPlannedNotifications(database), stream, clock);
    const retention = { days: decisionDays, most: decisionLimit };
    return {
      module: AuditModule,
      providers: [
        { provide: NotificationStream, useValue: stream },
        { provide: REQUESTS, useFactory: () => auditRequests(decisions) },
        { provide: CONSUMERS, useFactory: () => notificationConsumers(notify) },
        { provide: PlannedClock, useFactory: () => new PlannedClock(planned, logger) },
        { provide: RetentionClock, useFactory: () => new RetentionClock(decisions, clock, logger, retention) },
      ],
    };
  }
}
