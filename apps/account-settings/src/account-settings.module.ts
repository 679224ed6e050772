import { CommandHandler, type EventStore } from '@holdfast/event-store';
import type { Requests } from '@holdfast/messaging';
import { BUS, CLOCK, type Clock, OPEN_EVENT_STORE, type OpenEventStore } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { KmsKeysOverBus } from './adapters/outbound/kms-keys.ts';
import {
  encryptionStream,
  EventSourcedImagePublicAccess,
  EventSourcedPublicAccess,
  EventSourcedSettings,
  imagePublicAccessStream,
  publicAccessStream,
} from './adapters/outbound/settings-streams.ts';
import { DefaultKmsKey } from './application/default-kms-key.ts';
import { EncryptionByDefault } from './application/encryption-by-default.ts';
import { ImageBlockPublicAccess } from './application/image-public-access.ts';
import { SnapshotBlockPublicAccess } from './application/snapshot-public-access.ts';
import type { SettingsStreams } from './application/ports.ts';
import { ebsEncryptionDecider } from './domain/ebs-encryption.decider.ts';
import { imagePublicAccessDecider } from './domain/image-public-access.decider.ts';
import { snapshotPublicAccessDecider } from './domain/snapshot-public-access.decider.ts';

const SETTINGS = Symbol('SettingsStreams');
const STORE = Symbol('EventStore');

@Module({})
export class AccountSettingsModule {
  static register(): DynamicModule {
    return {
      module: AccountSettingsModule,
      providers: [
        { provide: STORE, inject: [OPEN_EVENT_STORE], useFactory: (open: OpenEventStore) => open() },
        {
          provide: SETTINGS,
          inject: [STORE],
          useFactory: (store: EventStore) =>
            new EventSourcedSettings(new CommandHandler(store, ebsEncryptionDecider, encryptionStream)),
        },
        {
          provide: SnapshotBlockPublicAccess,
          inject: [STORE, CLOCK],
          useFactory: (store: EventStore, clock: Clock) => {
            const handler = new CommandHandler(store, snapshotPublicAccessDecider, publicAccessStream);
            return new SnapshotBlockPublicAccess(new EventSourcedPublicAccess(handler), clock);
          },
        },
        {
          provide: ImageBlockPublicAccess,
          inject: [STORE, CLOCK],
          useFactory: (store: EventStore, clock: Clock) => {
            const handler = new CommandHandler(store, imagePublicAccessDecider, imagePublicAccessStream);
            return new ImageBlockPublicAccess(new EventSourcedImagePublicAccess(handler), clock);
          },
        },
        {
          provide: EncryptionByDefault,
          inject: [SETTINGS, CLOCK],
          useFactory: (settings: SettingsStreams, clock: Clock) => new EncryptionByDefault(settings, clock),
        },
        {
          provide: DefaultKmsKey,
          inject: [SETTINGS, BUS, CLOCK],
          useFactory: (settings: SettingsStreams, bus: Requests, clock: Clock) =>
            new DefaultKmsKey(settings, new KmsKeysOverBus(bus), clock),
        },
      ],
    };
  }
}
