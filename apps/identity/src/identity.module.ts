import type { ServiceEnvironment } from '@holdfast/service-kit';
import { type DynamicModule, Module } from '@nestjs/common';
import { ResolveSigningKey } from './application/resolve-signing-key.ts';
import { settingsSchema } from './config.ts';
import { type AccessKeys, developmentAccessKeys, rootPrincipal, rootUserAccessKeys } from './domain/access-keys.ts';

const accessKeysFor = ({ mode, settings }: ServiceEnvironment): AccessKeys => {
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
  static register(environment: ServiceEnvironment): DynamicModule {
    const accessKeys = accessKeysFor(environment);
    return {
      module: IdentityModule,
      providers: [{ provide: ResolveSigningKey, useFactory: () => new ResolveSigningKey(accessKeys) }],
    };
  }
}
