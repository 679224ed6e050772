import { randomBytes } from 'node:crypto';
import { PageTokens } from '@holdfast/ec2';
import { CommandHandler } from '@holdfast/event-store';
import type { ServiceParts } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { AttachmentsOverBus } from './adapters/outbound/attachments.ts';
import { PostgresInstanceTable } from './adapters/outbound/instance-table.ts';
import { EventSourcedInstances, EventSourcedReservations } from './adapters/outbound/streams.ts';
import { CompleteTransitions } from './application/complete-transitions.ts';
import { DescribeInstanceStatus } from './application/describe-instance-status.ts';
import { DescribeInstanceTypes } from './application/describe-instance-types.ts';
import { DescribeInstances } from './application/describe-instances.ts';
import { GetInstance } from './application/get-instance.ts';
import { InstanceAttributes } from './application/instance-attributes.ts';
import { InstanceTags } from './application/instance-tags.ts';
import { LaunchReserved } from './application/launch-reserved.ts';
import { RunBlockDevices } from './application/run-block-devices.ts';
import { RunInstances } from './application/run-instances.ts';
import { StopAndStart } from './application/stop-and-start.ts';
import { TerminateInstances } from './application/terminate-instances.ts';
import { settingsSchema } from './config.ts';
import { instanceDecider } from './domain/instance.decider.ts';
import { instancesProjection } from './projections/instances.ts';

@Module({})
export class InstancesModule {
  static register({ environment, openEventStore, database, bus, clock }: ServiceParts): DynamicModule {
    const settings = settingsSchema.parse(environment.settings);
    const store = openEventStore({ projections: [instancesProjection] });
    const streams = new EventSourcedInstances(new CommandHandler(store, instanceDecider, (id) => `instance-${id}`));
    const table = new PostgresInstanceTable(database);
    const tokens = new PageTokens(settings.pageTokenKey ?? randomBytes(32).toString('base64'));
    const launchReserved = new LaunchReserved(streams);
    const provide = <T extends object>(value: T) => ({ provide: value.constructor, useValue: value });
    return {
      module: InstancesModule,
      providers: [
        launchReserved,
        new CompleteTransitions(streams, bus, clock),
        new RunInstances(
          new EventSourcedReservations(store),
          launchReserved,
          table,
          new RunBlockDevices(bus),
          clock,
          settings,
        ),
        new DescribeInstances(table, new AttachmentsOverBus(bus), tokens, clock),
        new InstanceAttributes(streams, table, new AttachmentsOverBus(bus), bus, clock),
        new DescribeInstanceTypes(tokens),
        new DescribeInstanceStatus(table, tokens),
        new StopAndStart(streams, table, clock),
        new TerminateInstances(streams, table, clock),
        new InstanceTags(streams, table, clock),
        new GetInstance(table),
      ].map(provide),
    };
  }
}
