import { ConfigError } from '@holdfast/service-kit';
import { z } from 'zod';
import { EnvironmentProvider } from './environment-provider.ts';
import { FileProvider } from './file-provider.ts';
import { pkcs11Provider, pkcs11Schema } from './pkcs11/settings.ts';
import type { RootKeyProvider } from './types.ts';

/** Where a service's root key is: exactly one of them. */
export const rootKeySchema = z.object({
  /** A file with the versions, mode 0600; made on first start. */
  file: z.string().min(1).optional(),
  /** The versions themselves, each 32 bytes in base64, with commas between. */
  secret: z.string().min(1).optional(),
  pkcs11: pkcs11Schema.optional(),
});
export type RootKeyOptions = z.infer<typeof rootKeySchema>;

export interface RootKeyNames {
  /** Of the service, e.g. `kms`. */
  readonly service: string;
  /** The variable that may hold the versions, e.g. `HOLDFAST_KMS_ROOT_KEY`; with `_FILE` after it the one that names a file. */
  readonly variable: string;
}

/**
 * The provider that the settings choose.
 * @throws ConfigError unless exactly one is chosen. @throws RootKeyError when it can't be had here
 */
export const rootKeyProvider = (options: RootKeyOptions, { service, variable }: RootKeyNames): RootKeyProvider => {
  const { file, secret, pkcs11 } = options;
  if ([file, secret, pkcs11].filter((choice) => choice !== undefined).length !== 1) {
    throw new ConfigError(
      `${service} needs its root key: set one of ${variable}_FILE, ${variable} and HOLDFAST_PKCS11_MODULE`,
    );
  }
  if (file !== undefined) return new FileProvider(file, service);
  if (secret !== undefined) return new EnvironmentProvider(variable, secret, service);
  return pkcs11Provider(pkcs11Schema.parse(pkcs11), service);
};
