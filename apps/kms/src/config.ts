import {
  pkcs11Options,
  pkcs11Variables,
  type RootKeyProvider,
  rootKeyProvider,
  pkcs11Schema,
} from '@holdfast/root-keys';
import { ConfigError, type OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';
import { AWS_QUOTAS, type Quotas } from './domain/quotas.ts';

const variables = z.object({
  /** A file with the root key, mode 0600; made on first start. */
  HOLDFAST_KMS_ROOT_KEY_FILE: z.string().min(1).optional(),
  /** The root key itself, 32 bytes in base64; other versions after it, separated by commas. */
  HOLDFAST_KMS_ROOT_KEY: z.string().min(1).optional(),
  ...pkcs11Variables,
  /** What differs from AWS's quotas, like `keys=500,aliasesPerKey=10`. */
  HOLDFAST_KMS_QUOTAS: z.string().min(1).optional(),
});

export const kmsSettings: OwnSettings<(typeof variables)['shape']> = {
  variables,
  settings: (values) => ({
    rootKeyFile: values.HOLDFAST_KMS_ROOT_KEY_FILE,
    rootKeySecret: values.HOLDFAST_KMS_ROOT_KEY,
    pkcs11: pkcs11Options(values),
    quotas: values.HOLDFAST_KMS_QUOTAS,
  }),
};

const settingsSchema = z.object({
  rootKeyFile: z.string().min(1).optional(),
  rootKeySecret: z.string().min(1).optional(),
  pkcs11: pkcs11Schema.optional(),
  quotas: z.string().optional(),
});

/** The largest policy that the model has. */
const MAX_POLICY_BYTES = 131_072;

/** AWS's, but for those that are set. @throws ConfigError for what is no quota. */
export const kmsQuotas = (settings: Record<string, unknown> | undefined): Quotas => {
  const { quotas = '' } = settingsSchema.parse(settings ?? {});
  const own = quotas.split(',').flatMap((part): [string, number][] => {
    const [name = '', value = ''] = part.trim().split('=');
    if (name === '') return [];
    const count = Number(value);
    const most = name === 'policyBytes' ? MAX_POLICY_BYTES : Number.MAX_SAFE_INTEGER;
    if (!Object.hasOwn(AWS_QUOTAS, name) || !/^[0-9]+$/.test(value) || count < 1 || count > most) {
      const known = Object.keys(AWS_QUOTAS).join(', ');
      throw new ConfigError(`HOLDFAST_KMS_QUOTAS: ${part.trim()} is no quota; there are ${known}`);
    }
    return [[name, count]];
  });
  return { ...AWS_QUOTAS, ...Object.fromEntries(own) };
};

/** @throws ConfigError unless exactly one source of the root key is set. @throws RootKeyError when it can't be had here */
export const kmsRootKeyProvider = (settings: Record<string, unknown> | undefined): RootKeyProvider => {
  const { rootKeyFile: file, rootKeySecret: secret, pkcs11 } = settingsSchema.parse(settings ?? {});
  return rootKeyProvider({ file, secret, pkcs11 }, { service: 'kms', variable: 'HOLDFAST_KMS_ROOT_KEY' });
};
