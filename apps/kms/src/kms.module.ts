import { CallerPoliciesCache, DecisionLog } from '@holdfast/access';
import { CommandHandler, type EventStore, type SubscribableStore } from '@holdfast/event-store';
import { type Database, PostgresEventStore } from '@holdfast/event-store/postgres';
import type { Bus, Requests } from '@holdfast/messaging';
import { RootKeyService } from '@holdfast/root-keys';
import {
  BUS,
  CLOCK,
  type Clock,
  DATABASE,
  type Logger,
  LOGGER,
  OPEN_EVENT_STORE,
  type OpenEventStore,
  type ServiceParts,
} from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { KeyClock } from './adapters/inbound/key-clock.ts';
import { LastUseFollower } from './adapters/inbound/last-use-follower.ts';
import { AliasesTable } from './adapters/outbound/aliases.table.ts';
import { GrantsTable } from './adapters/outbound/grants.table.ts';
import { KeyLastUsesTable } from './adapters/outbound/key-last-uses.table.ts';
import { StoredKeyMaterials } from './adapters/outbound/key-materials.ts';
import { IdentityPrincipals } from './adapters/outbound/identity-principals.ts';
import { KeyUseStreams } from './adapters/outbound/key-use-streams.ts';
import { KeysTable } from './adapters/outbound/keys.table.ts';
import { type KmsRootKeys, openRootKeys } from './adapters/outbound/root-keys.ts';
import { SealedImportTokens } from './adapters/outbound/sealed-import-tokens.ts';
import { SealedTransport } from './adapters/outbound/sealed-transport.ts';
import { SignedGrantTokens } from './adapters/outbound/signed-grant-tokens.ts';
import { SignedMarkers } from './adapters/outbound/signed-markers.ts';
import { NOTHING_CONSIDERED } from './application/decision-record.ts';
import type { Kms, KeyUseLog } from './application/ports.ts';
import { aliasStream, grantStream, keyStream } from './application/stream-ids.ts';
import { kmsQuotas, kmsRootKeyProvider } from './config.ts';
import { aliasDecider } from './domain/alias.decider.ts';
import { grantDecider } from './domain/grant.decider.ts';
import { keyDecider } from './domain/key.decider.ts';
import type { Quotas } from './domain/quotas.ts';
import { activeGrants } from './projections/active-grants.ts';
import { aliasTargets } from './projections/alias-targets.ts';
import { keyDetails } from './projections/key-details.ts';

export const KMS = Symbol('Kms');
export const DECISIONS = Symbol('DecisionLog');
export const KEY_MATERIALS = Symbol('StoredKeyMaterials');
export const ROOT_KEY_SERVICE = Symbol('RootKeyService');
const ROOT_KEYS = Symbol('KmsRootKeys');
const STORE = Symbol('EventStore');
const KEY_USES = Symbol('KeyUseLog');
const KEY_CLOCK = Symbol('KeyClock');
const LAST_USE_FOLLOWER = Symbol('LastUseFollower');

const QUOTAS = Symbol('Quotas');

const makeKms = async (
  clock: Clock,
  database: Database,
  store: EventStore,
  { secrets }: KmsRootKeys,
  materials: StoredKeyMaterials,
  uses: KeyUseLog,
  bus: Requests,
  quotas: Quotas,
): Promise<Kms> => ({
  considered: NOTHING_CONSIDERED,
  clock,
  keys: new KeysTable(database),
  aliases: new AliasesTable(database),
  grants: new GrantsTable(database),
  keyStreams: new CommandHandler(store, keyDecider, keyStream),
  aliasStreams: new CommandHandler(store, aliasDecider, aliasStream),
  grantStreams: new CommandHandler(store, grantDecider, grantStream),
  materials,
  uses,
  lastUses: new KeyLastUsesTable(database),
  transport: await SealedTransport.from(secrets.derive('transport')),
  tokens: new SignedGrantTokens(secrets.deriveAll('grant-tokens')),
  markers: new SignedMarkers(secrets.deriveAll('markers')),
  importTokens: new SealedImportTokens(secrets),
  callers: new CallerPoliciesCache(bus),
  principals: new IdentityPrincipals(bus),
  quotas,
});

/** Ends with the module: material is zeroed, and nothing keeps the process alive. */
class OwnKeyMaterials extends StoredKeyMaterials {
  onModuleDestroy(): void {
    this.close();
  }
}

/** What waits is sent while the bus is still there. */
class OwnDecisionLog extends DecisionLog {
  onModuleDestroy(): Promise<void> {
    return this.close();
  }
}

/**
 * Uses of keys move no read model, so they go through a store without projections: one statement, no transaction around
 * it. The log they go to is the same.
 */
class OwnKeyUseStreams extends KeyUseStreams {
  constructor(private readonly own: PostgresEventStore) {
    super(own);
  }

  async onModuleDestroy(): Promise<void> {
    await this.own.close();
  }
}

@Module({})
export class KmsModule {
  static with(parts: ServiceParts): DynamicModule {
    const provider = kmsRootKeyProvider(parts.environment.settings);
    const quotas = kmsQuotas(parts.environment.settings);
    return {
      module: KmsModule,
      providers: [
        {
          provide: STORE,
          useFactory: (open: OpenEventStore) => open({ projections: [keyDetails, aliasTargets, activeGrants] }),
          inject: [OPEN_EVENT_STORE],
        },
        {
          provide: ROOT_KEYS,
          useFactory: (database: Database) => openRootKeys(provider, database),
          inject: [DATABASE],
        },
        {
          provide: ROOT_KEY_SERVICE,
          useFactory: ({ rootKeys }: KmsRootKeys, bus: Bus, logger: Logger) =>
            new RootKeyService(rootKeys, bus, logger),
          inject: [ROOT_KEYS, BUS, LOGGER],
        },
        {
          provide: KEY_MATERIALS,
          useFactory: (database: Database, rootKeys: KmsRootKeys) => new OwnKeyMaterials(database, rootKeys),
          inject: [DATABASE, ROOT_KEYS],
        },
        {
          provide: KEY_USES,
          useFactory: (database: Database) =>
            new OwnKeyUseStreams(new PostgresEventStore({ database, service: 'kms' })),
          inject: [DATABASE],
        },
        {
          provide: KMS,
          useFactory: makeKms,
          inject: [CLOCK, DATABASE, STORE, ROOT_KEYS, KEY_MATERIALS, KEY_USES, BUS, QUOTAS],
        },
        { provide: QUOTAS, useValue: quotas },
        {
          provide: DECISIONS,
          useFactory: (bus: Requests, logger: Logger) => new OwnDecisionLog(bus, logger),
          inject: [BUS, LOGGER],
        },
        {
          provide: KEY_CLOCK,
          useFactory: (kms: Kms, logger: Logger) => new KeyClock(kms, logger),
          inject: [KMS, LOGGER],
        },
        {
          provide: LAST_USE_FOLLOWER,
          useFactory: (store: SubscribableStore, database: Database, logger: Logger) =>
            new LastUseFollower(store, database, logger),
          inject: [STORE, DATABASE, LOGGER],
        },
      ],
    };
  }
}
