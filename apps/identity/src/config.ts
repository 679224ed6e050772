import { accountId } from '@holdfast/contracts';
import { ConfigError, type OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';
import type { KeySource } from '@holdfast/service-kit';

export const settingsSchema = z.object({
  /** The root user of the deployment's first account. Its secret comes from the deployment and is not stored. */
  rootUser: z
    .object({ accountId: z.string().transform(accountId), accessKeyId: z.string(), secretAccessKey: z.string() })
    .optional(),
  /** A file with the key that encrypts what identity keeps secret, mode 0600; made on first start. */
  secretsKeyFile: z.string().min(1).optional(),
  /** The key itself, 32 bytes in base64; earlier ones after it, separated by commas. */
  secretsKey: z.string().min(1).optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

/** @throws ConfigError unless exactly one source of the secrets key is set. */
export const secretsKeySource = (settings: Record<string, unknown> | undefined): KeySource => {
  const { secretsKeyFile: file, secretsKey: secret } = settingsSchema.parse(settings ?? {});
  if (file !== undefined && secret === undefined) return { file };
  if (secret !== undefined && file === undefined) return { secret };
  throw new ConfigError(
    'identity needs its secrets key: set either HOLDFAST_IDENTITY_SECRETS_KEY_FILE or HOLDFAST_IDENTITY_SECRETS_KEY',
  );
};

const variables = z.object({
  HOLDFAST_ROOT_ACCOUNT_ID: z
    .string()
    .regex(/^\d{12}$/)
    .optional(),
  HOLDFAST_ROOT_ACCESS_KEY_ID: z
    .string()
    .regex(/^\w{16,128}$/)
    .optional(),
  HOLDFAST_ROOT_SECRET_ACCESS_KEY: z.string().min(32).optional(),
  HOLDFAST_IDENTITY_SECRETS_KEY_FILE: z.string().min(1).optional(),
  HOLDFAST_IDENTITY_SECRETS_KEY: z.string().min(1).optional(),
});

export const ownSettings: OwnSettings<typeof variables.shape> = {
  variables,
  settings: (values) => {
    const rootUser = {
      accountId: values.HOLDFAST_ROOT_ACCOUNT_ID,
      accessKeyId: values.HOLDFAST_ROOT_ACCESS_KEY_ID,
      secretAccessKey: values.HOLDFAST_ROOT_SECRET_ACCESS_KEY,
    };
    const hasRootUser = Object.values(rootUser).some((value) => value !== undefined);
    return settingsSchema.parse({
      ...(hasRootUser ? { rootUser } : {}),
      secretsKeyFile: values.HOLDFAST_IDENTITY_SECRETS_KEY_FILE,
      secretsKey: values.HOLDFAST_IDENTITY_SECRETS_KEY,
    });
  },
};
