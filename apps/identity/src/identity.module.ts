import { CommandHandler } from '@holdfast/event-store';
import type { ServiceEnvironment, ServiceParts } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { EventSourcedAccounts } from './adapters/outbound/account-streams.ts';
import { DerivedSessionSecrets, secretsKeysInUse, StoredAccessKeySecrets } from './adapters/outbound/credentials.ts';
import { PostgresIamTables } from './adapters/outbound/iam-tables.ts';
import { SealedAuthorizationMessages, SealedMarkers } from './adapters/outbound/sealed-texts.ts';
import { loadSecretsKeys, type SecretsKeys } from './adapters/outbound/secrets-keys.ts';
import { EventSourcedSessions } from './adapters/outbound/session-streams.ts';
import type { Iam } from './application/ports.ts';
import { secretsKeySource, settingsSchema } from './config.ts';
import { type AccessKeys, developmentAccessKeys, rootPrincipal, rootUserAccessKeys } from './domain/access-keys.ts';
import { sessionDecider } from './domain/session.decider.ts';
import { iamTables } from './projections/iam-tables.ts';
import { sessionsProjection } from './projections/sessions.ts';

export const IAM = Symbol('Iam');
const SECRETS_KEYS = Symbol('SecretsKeys');

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

@Module({})
export class IdentityModule {
  static register({ environment, openEventStore, database, clock }: ServiceParts): DynamicModule {
    const rootKeys = rootKeysFor(environment);
    const source = secretsKeySource(environment.settings);
    const store = openEventStore({ projections: [iamTables, sessionsProjection] });
    const accounts = new EventSourcedAccounts(store);
    const makeIam = (keys: SecretsKeys): Iam => ({
      clock,
      rootKeys,
      accounts,
      sessions: new EventSourcedSessions(new CommandHandler(store, sessionDecider, (id) => `session-${id}`)),
      tables: new PostgresIamTables(database),
      keySecrets: new StoredAccessKeySecrets(database, keys),
      sessionSecrets: new DerivedSessionSecrets(keys),
      markers: new SealedMarkers(keys),
      messages: new SealedAuthorizationMessages(keys),
    });
    return {
      module: IdentityModule,
      providers: [
        { provide: EventSourcedAccounts, useValue: accounts },
        {
          provide: SECRETS_KEYS,
          useFactory: async () => loadSecretsKeys(source, await secretsKeysInUse(database)),
        },
        { provide: IAM, inject: [SECRETS_KEYS], useFactory: makeIam },
      ],
    };
  }
}
