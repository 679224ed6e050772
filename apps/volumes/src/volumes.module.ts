import { CommandHandler } from '@holdfast/event-store';
import { EbsKeys, loadPageTokens, type PageTokens } from '@holdfast/ec2';
import type { ServiceParts } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { type VolumeActions, volumeRequests } from './adapters/inbound/ec2-actions.controller.ts';
import { VolumeClock } from './adapters/inbound/volume-clock.ts';
import { volumeConsumers, type VolumeWork } from './adapters/inbound/volume-work.consumer.ts';
import { PostgresRecycledVolumes } from './adapters/outbound/recycled-volumes.table.ts';
import { PostgresVolumeTable } from './adapters/outbound/volume-details.table.ts';
import { PostgresModificationTable } from './adapters/outbound/volume-modifications.table.ts';
import { EventSourcedVolumes, streamOf } from './adapters/outbound/volume-streams.ts';
import { AttachVolume } from './application/attach-volume.ts';
import { CreateVolume } from './application/create-volume.ts';
import { DeleteVolume } from './application/delete-volume.ts';
import { DescribeVolumes } from './application/describe-volumes.ts';
import { DescribeVolumeStatus } from './application/describe-volume-status.ts';
import { DescribeVolumesModifications } from './application/describe-volumes-modifications.ts';
import { DetachVolume } from './application/detach-volume.ts';
import { DueVolumes } from './application/due-volumes.ts';
import { FinishAttachment } from './application/finish-attachment.ts';
import { FollowInitialization } from './application/follow-initialization.ts';
import { FollowModification } from './application/follow-modification.ts';
import { InstanceDevices } from './application/instance-devices.ts';
import { ModifyVolume } from './application/modify-volume.ts';
import { ProvisionVolume } from './application/provision-volume.ts';
import { RecycleBin } from './application/recycle-bin.ts';
import { ReleaseFromInstance } from './application/release-from-instance.ts';
import { RemoveVolume } from './application/remove-volume.ts';
import { VolumeAttributes } from './application/volume-attributes.ts';
import { VolumeTags } from './application/volume-tags.ts';
import { volumeQuotas } from './config.ts';
import { volumeDecider } from './domain/volume.decider.ts';
import { volumeDetails } from './projections/volume-details.ts';
import { volumeModifications } from './projections/volume-modifications.ts';

export const REQUESTS = Symbol('volume requests');
export const CONSUMERS = Symbol('volume consumers');
const STREAMS = Symbol('VolumeStreams');
const TABLE = Symbol('VolumeTable');
const PAGE_TOKENS = Symbol('PageTokens');
const VOLUME_CLOCK = Symbol('VolumeClock');

@Module({})
export class VolumesModule {
  static with({ environment, bus, clock, database, logger, openEventStore }: ServiceParts): DynamicModule {
    const recycled = new PostgresRecycledVolumes(database);
    const keys = new EbsKeys((action, input, context) => bus.request('kms', action, input, context));
    const finishAttachment = (volumes: EventSourcedVolumes) => new FinishAttachment(volumes, keys, bus, clock);
    const actions = (
      volumes: EventSourcedVolumes,
      table: PostgresVolumeTable,
      pageTokens: PageTokens,
    ): VolumeActions => ({
      createVolume: new CreateVolume(volumes, table, volumeQuotas(environment), bus, clock),
      describeVolumes: new DescribeVolumes(table, pageTokens),
      deleteVolume: new DeleteVolume(volumes, bus, clock),
      attachVolume: new AttachVolume(volumes, table, bus, clock),
      detachVolume: new DetachVolume(volumes, bus, clock),
      modifyVolume: new ModifyVolume(volumes, table, volumeQuotas(environment), bus, clock),
      describeVolumesModifications: new DescribeVolumesModifications(
        new PostgresModificationTable(database),
        table,
        pageTokens,
        clock,
      ),
      describeVolumeStatus: new DescribeVolumeStatus(table, pageTokens, bus),
      attributes: new VolumeAttributes(volumes, clock),
      devices: new InstanceDevices(volumes, table, finishAttachment(volumes), clock),
      bin: new RecycleBin(volumes, recycled, pageTokens, clock),
      tags: new VolumeTags(volumes, table, clock),
      table,
    });
    const work = (volumes: EventSourcedVolumes, table: PostgresVolumeTable): VolumeWork => {
      return {
        provision: new ProvisionVolume(volumes, keys, bus, clock),
        remove: new RemoveVolume(volumes, keys, bus, clock),
        attachment: finishAttachment(volumes),
        modification: new FollowModification(volumes, bus, clock),
        initialization: new FollowInitialization(volumes, bus, clock),
        release: new ReleaseFromInstance(volumes, table, clock),
      };
    };
    const streams = () => {
      const store = openEventStore({ projections: [volumeDetails, volumeModifications] });
      return new EventSourcedVolumes(store, new CommandHandler(store, volumeDecider, streamOf));
    };
    return {
      module: VolumesModule,
      providers: [
        { provide: STREAMS, useFactory: streams },
        { provide: TABLE, useFactory: () => new PostgresVolumeTable(database) },
        { provide: PAGE_TOKENS, useFactory: () => loadPageTokens(database) },
        {
          provide: VOLUME_CLOCK,
          inject: [STREAMS],
          useFactory: (volumes: EventSourcedVolumes) =>
            new VolumeClock(new DueVolumes(volumes, recycled, clock), logger),
        },
        {
          provide: REQUESTS,
          inject: [STREAMS, TABLE, PAGE_TOKENS],
          useFactory: (...parts: Parameters<typeof actions>) => volumeRequests(actions(...parts)),
        },
        {
          provide: CONSUMERS,
          inject: [STREAMS, TABLE],
          useFactory: (...parts: Parameters<typeof work>) => volumeConsumers(work(...parts)),
        },
      ],
    };
  }
}
