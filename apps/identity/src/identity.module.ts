import { DecisionLog } from '@holdfast/access';
import { CommandHandler } from '@holdfast/event-store';
import { RootKeyService } from '@holdfast/root-keys';
import type { ServiceEnvironment, ServiceParts } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { EventSourcedAccounts } from './adapters/outbound/account-streams.ts';
import { StoredAccessKeyUses } from './adapters/outbound/access-key-uses.ts';
import { DerivedSessionSecrets, StoredAccessKeySecrets } from './adapters/outbound/credentials.ts';
import { PostgresIamTables } from './adapters/outbound/iam-tables.ts';
import { SealedAuthorizationMessages, SealedMarkers } from './adapters/outbound/sealed-texts.ts';
import { type IdentityKeys, openIdentityKeys } from './adapters/outbound/secrets-keys.ts';
import { EventSourcedSessions } from './adapters/outbound/session-streams.ts';
import type { Iam } from './application/ports.ts';
import { identityRootKeyProvider, settingsSchema } from './config.ts';
import { type AccessKeys, developmentAccessKeys, rootPrincipal, rootUserAccessKeys } from './domain/access-keys.ts';
import { sessionDecider } from './domain/session.decider.ts';
import { iamTables } from './projections/iam-tables.ts';
import { sessionsProjection } from './projections/sessions.ts';

export const IAM = Symbol('Iam');
const KEYS = Symbol('IdentityKeys');

const rootKeysFor = ({ mode, settings }: ServiceEnvironment): AccessKeys => {
  if (mode === 'development') return developmentAccessKeys;
  const { rootUser } = settingsSchema.parse(settings ?? {});
  if (rootUser === undefined) {
    throw new Error(
      'production needs HOLDFAST_ROOT_ACCOUNT_ID, HOLDFAST_ROOT_ACCESS_KEY_ID and HOLDFAST_ROOT_SECRET_ACCESS_KEY',
    );
  }
  const { accountId, accessKeyId, secretAccessKey } = rootUser;
  return rootUserAccessKeys([{ accessKeyId, secretAccessKey, principal: rootPrincipal(accountId) }]);
};

/** What waits is sent while the bus is still there. */
class OwnDecisionLog extends DecisionLog {
  onModuleDestroy(): Promise<void> {
    return this.close();
  }
}

/** What is noted when the service stops is written. */
class OwnAccessKeyUses extends StoredAccessKeyUses {
  async onModuleDestroy(): Promise<void> {
    await this.flush();
  }
}

@Module({})
export class IdentityModule {
  static register({ environment, openEventStore, database, clock, bus, logger }: ServiceParts): DynamicModule {
    const rootKeys = rootKeysFor(environment);
    const provider = identityRootKeyProvider(environment.settings);
    const store = openEventStore({ projections: [iamTables, sessionsProjection] });
    const accounts = new EventSourcedAccounts(store);
    const makeIam = (
      { secretsKeys, ...keys }: IdentityKeys,
      decisions: OwnDecisionLog,
      keyUses: OwnAccessKeyUses,
    ): Iam => ({
      clock,
      decisions,
      rootKeys,
      accounts,
      sessions: new EventSourcedSessions(new CommandHandler(store, sessionDecider, (id) => `session-${id}`)),
      tables: new PostgresIamTables(database),
      keySecrets: new StoredAccessKeySecrets(database, keys),
      sessionSecrets: new DerivedSessionSecrets(secretsKeys),
      markers: new SealedMarkers(secretsKeys),
      messages: new SealedAuthorizationMessages(secretsKeys),
      keyUses,
    });
    return {
      module: IdentityModule,
      providers: [
        { provide: EventSourcedAccounts, useValue: accounts },
        { provide: KEYS, useFactory: () => openIdentityKeys(provider, database) },
        {
          provide: RootKeyService,
          inject: [KEYS],
          useFactory: (keys: IdentityKeys) => new RootKeyService(keys.rootKeys, bus, logger),
        },
        { provide: OwnDecisionLog, useFactory: () => new OwnDecisionLog(bus, logger) },
        {
          provide: OwnAccessKeyUses,
          useFactory: () =>
            new OwnAccessKeyUses(database, (error) =>
              logger.warn({ err: error }, 'uses of access keys were not written'),
            ),
        },
        { provide: IAM, inject: [KEYS, OwnDecisionLog, OwnAccessKeyUses], useFactory: makeIam },
      ],
    };
  }
}
