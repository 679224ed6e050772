import {
  pkcs11Options,
  pkcs11Variables,
  type RootKeyProvider,
  rootKeyProvider,
  pkcs11Schema,
} from '@holdfast/root-keys';
import type { OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';

const variables = z.object({
  /** A file with the root key, mode 0600; made on first start. */
  HOLDFAST_KMS_ROOT_KEY_FILE: z.string().min(1).optional(),
  /** The root key itself, 32 bytes in base64; other versions after it, separated by commas. */
  HOLDFAST_KMS_ROOT_KEY: z.string().min(1).optional(),
  ...pkcs11Variables,
});

export const kmsSettings: OwnSettings<(typeof variables)['shape']> = {
  variables,
  settings: (values) => ({
    rootKeyFile: values.HOLDFAST_KMS_ROOT_KEY_FILE,
    rootKeySecret: values.HOLDFAST_KMS_ROOT_KEY,
    pkcs11: pkcs11Options(values),
  }),
};

const settingsSchema = z.object({
  rootKeyFile: z.string().min(1).optional(),
  rootKeySecret: z.string().min(1).optional(),
  pkcs11: pkcs11Schema.optional(),
});

/** @throws ConfigError unless exactly one source of the root key is set. @throws RootKeyError when it can't be had here */
export const kmsRootKeyProvider = (settings: Record<string, unknown> | undefined): RootKeyProvider => {
  const { rootKeyFile: file, rootKeySecret: secret, pkcs11 } = settingsSchema.parse(settings ?? {});
  return rootKeyProvider({ file, secret, pkcs11 }, { service: 'kms', variable: 'HOLDFAST_KMS_ROOT_KEY' });
};
