import { ConfigError, type OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';
import type { KeySource } from '@holdfast/service-kit';

const variables = z.object({
  /** A file with the root key, mode 0600; made on first start. */
  HOLDFAST_KMS_ROOT_KEY_FILE: z.string().min(1).optional(),
  /** The root key itself, 32 bytes in base64; earlier ones after it, separated by commas. */
  HOLDFAST_KMS_ROOT_KEY: z.string().min(1).optional(),
});

export const kmsSettings: OwnSettings<(typeof variables)['shape']> = {
  variables,
  settings: (values) => ({
    rootKeyFile: values.HOLDFAST_KMS_ROOT_KEY_FILE,
    rootKeySecret: values.HOLDFAST_KMS_ROOT_KEY,
  }),
};

const settingsSchema = z.object({
  rootKeyFile: z.string().min(1).optional(),
  rootKeySecret: z.string().min(1).optional(),
});

/** @throws ConfigError unless exactly one source of the root key is set. */
export const rootKeySource = (settings: Record<string, unknown> | undefined): KeySource => {
  const { rootKeyFile: file, rootKeySecret: secret } = settingsSchema.parse(settings ?? {});
  if (file !== undefined && secret === undefined) return { file };
  if (secret !== undefined && file === undefined) return { secret };
  throw new ConfigError('kms needs its root key: set either HOLDFAST_KMS_ROOT_KEY_FILE or HOLDFAST_KMS_ROOT_KEY');
};
