import { randomBytes } from 'node:crypto';
import { EbsKeys, PageTokens } from '@holdfast/ec2';
import { CommandHandler } from '@holdfast/event-store';
import type { ServiceParts } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { ImageClock } from './adapters/inbound/image-clock.ts';
import { AttachmentsOverBus } from './adapters/outbound/attachments.ts';
import { PostgresImageTable } from './adapters/outbound/image-table.ts';
import { PostgresInstanceTable } from './adapters/outbound/instance-table.ts';
import { PostgresKeyPairTable } from './adapters/outbound/key-pair-table.ts';
import {
  EventSourcedImages,
  EventSourcedInstances,
  EventSourcedKeyPairs,
  EventSourcedReservations,
} from './adapters/outbound/streams.ts';
import { CompleteTransitions } from './application/complete-transitions.ts';
import { CopyImage } from './application/copy-image.ts';
import { CreateImage } from './application/create-image.ts';
import { DeregisterImage } from './application/deregister-image.ts';
import { DescribeAccount } from './application/describe-account.ts';
import { DescribeImages } from './application/describe-images.ts';
import { DescribeInstanceStatus } from './application/describe-instance-status.ts';
import { DescribeInstanceTypes } from './application/describe-instance-types.ts';
import { DescribeInstances } from './application/describe-instances.ts';
import { DescribeNetwork } from './application/describe-network.ts';
import { DescribeNetworkInterfaces } from './application/describe-network-interfaces.ts';
import { DescribeRouting } from './application/describe-routing.ts';
import { DueImages } from './application/due-images.ts';
import { GetInstance } from './application/get-instance.ts';
import { ImageAttributes } from './application/image-attributes.ts';
import { ImageLifecycle } from './application/image-lifecycle.ts';
import { ImageRecycleBin } from './application/image-recycle-bin.ts';
import { ImageRequests } from './application/image-requests.ts';
import { ImageTags } from './application/image-tags.ts';
import { ImagesOfSnapshot } from './application/images-of-snapshot.ts';
import { InstanceAttributes } from './application/instance-attributes.ts';
import { InstanceExtras } from './application/instance-extras.ts';
import { InstanceTags } from './application/instance-tags.ts';
import { KeyPairTags } from './application/key-pair-tags.ts';
import { KeyPairs } from './application/key-pairs.ts';
import { LaunchCredentials } from './application/launch-credentials.ts';
import { LaunchReserved } from './application/launch-reserved.ts';
import { MakeImage } from './application/make-image.ts';
import { MonitorInstances } from './application/monitor-instances.ts';
import { ProfileAssociations } from './application/profile-associations.ts';
import { ProvideAmazonImages } from './application/provide-amazon-images.ts';
import { RegisterImage } from './application/register-image.ts';
import { RunBlockDevices } from './application/run-block-devices.ts';
import { ModifyInstance } from './application/modify-instance.ts';
import { RunInstances } from './application/run-instances.ts';
import { StopAndStart } from './application/stop-and-start.ts';
import { TerminateInstances } from './application/terminate-instances.ts';
import { type Settings, settingsSchema } from './config.ts';
import { imageDecider } from './domain/image.decider.ts';
import { instanceDecider } from './domain/instance.decider.ts';
import { keyPairDecider } from './domain/key-pair.decider.ts';
import { imagesProjection } from './projections/images.ts';
import { instancesProjection } from './projections/instances.ts';
import { keyPairsProjection } from './projections/key-pairs.ts';

/** What provides them, once it has: at the start, and after a reset again. */
export const AMAZON_IMAGES = Symbol('ProvideAmazonImages');

const provide = <T extends object>(value: T) => ({ provide: value.constructor, useValue: value });

/** What images are asked for and about. */
const imageParts = (
  images: ImageRequests,
  instances: PostgresInstanceTable,
  tokens: PageTokens,
  { bus, clock }: ServiceParts,
) => {
  const keys = new EbsKeys((action, input, context) => bus.request('kms', action, input, context));
  const makeImage = new MakeImage(images.streams, bus, clock);
  return [
    makeImage,
    new RegisterImage(images, bus, clock),
    new CreateImage(images, instances, new AttachmentsOverBus(bus), makeImage, bus, clock),
    new CopyImage(images, keys, bus, clock),
    new DeregisterImage(images, bus, clock),
    new DescribeImages(images.table, tokens, clock),
    new ImageLifecycle(images, clock),
    new ImageRecycleBin(images, bus, tokens, clock),
    new ImageAttributes(images, bus, clock),
    new ImagesOfSnapshot(images.table),
  ];
};

/** What can only be described. */
const accountParts = (instances: PostgresInstanceTable, tokens: PageTokens, settings: Settings) => [
  new DescribeAccount(tokens, settings),
  new DescribeNetwork(tokens),
  new DescribeRouting(tokens),
  new DescribeNetworkInterfaces(instances, tokens),
];

@Module({})
export class InstancesModule {
  static register(parts: ServiceParts): DynamicModule {
    const { environment, openEventStore, database, bus, clock } = parts;
    const settings = settingsSchema.parse(environment.settings);
    const store = openEventStore({ projections: [instancesProjection, imagesProjection, keyPairsProjection] });
    const streams = new EventSourcedInstances(new CommandHandler(store, instanceDecider, (id) => `instance-${id}`));
    const imageStreams = new EventSourcedImages(new CommandHandler(store, imageDecider, (id) => `image-${id}`), store);
    const keyStreams = new EventSourcedKeyPairs(new CommandHandler(store, keyPairDecider, (id) => id));
    const keyTable = new PostgresKeyPairTable(database);
    const keyPairs = new KeyPairs(keyStreams, keyTable, clock);
    const images = new ImageRequests(imageStreams, new PostgresImageTable(database));
    const table = new PostgresInstanceTable(database);
    const tokens = new PageTokens(settings.pageTokenKey ?? randomBytes(32).toString('base64'));
    const launchReserved = new LaunchReserved(streams);
    const reservations = new EventSourcedReservations(store);
    const attachments = new AttachmentsOverBus(bus);
    const amazonImages = async () => {
      const amazon = new ProvideAmazonImages(imageStreams, clock);
      await amazon.run();
      return amazon;
    };
    return {
      module: InstancesModule,
      providers: [
        { provide: AMAZON_IMAGES, useFactory: amazonImages },
        {
          provide: ImageClock,
          useFactory: () => new ImageClock(new DueImages(imageStreams, images.table, clock), parts.logger),
        },
        ...[
          launchReserved,
          new CompleteTransitions(streams, bus, clock),
          new RunInstances(
            reservations,
            launchReserved,
            table,
            images,
            new RunBlockDevices(bus),
            new LaunchCredentials(keyPairs, bus),
            clock,
            settings,
          ),
          new DescribeInstances(table, attachments, tokens, clock),
          new InstanceAttributes(table, attachments),
          new ModifyInstance(streams, table, attachments, bus, clock),
          new InstanceExtras(table, tokens, clock),
          new DescribeInstanceTypes(tokens),
          new DescribeInstanceStatus(table, tokens),
          new StopAndStart(streams, table, clock),
          new TerminateInstances(streams, table, clock),
          new InstanceTags(
            streams,
            table,
            new ImageTags(images, clock),
            new KeyPairTags(keyStreams, keyTable, clock),
            clock,
          ),
          keyPairs,
          new ProfileAssociations(streams, table, tokens, bus, clock),
          new MonitorInstances(streams, table, clock),
          new GetInstance(table),
          ...imageParts(images, table, tokens, parts),
          ...accountParts(table, tokens, settings),
        ].map(provide),
      ],
    };
  }
}
