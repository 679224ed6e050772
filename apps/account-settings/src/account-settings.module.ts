import { CommandHandler } from '@holdfast/event-store';
import type { Requests } from '@holdfast/messaging';
import { BUS, CLOCK, type Clock, OPEN_EVENT_STORE, type OpenEventStore } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { KmsKeysOverBus } from './adapters/outbound/kms-keys.ts';
import { EventSourcedSettings, streamOf } from './adapters/outbound/settings-streams.ts';
import { DefaultKmsKey } from './application/default-kms-key.ts';
import { EncryptionByDefault } from './application/encryption-by-default.ts';
import type { SettingsStreams } from './application/ports.ts';
import { ebsEncryptionDecider } from './domain/ebs-encryption.decider.ts';

const SETTINGS = Symbol('SettingsStreams');

@Module({})
export class AccountSettingsModule {
  static register(): DynamicModule {
    return {
      module: AccountSettingsModule,
      providers: [
        {
          provide: SETTINGS,
          inject: [OPEN_EVENT_STORE],
          useFactory: (open: OpenEventStore) =>
            new EventSourcedSettings(new CommandHandler(open(), ebsEncryptionDecider, streamOf)),
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
