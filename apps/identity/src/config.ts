import { accountId } from '@holdfast/contracts';
import {
  pkcs11Options,
  pkcs11Schema,
  pkcs11Variables,
  type RootKeyProvider,
  rootKeyProvider,
} from '@holdfast/root-keys';
import type { OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';

export const settingsSchema = z.object({
  /** The root user of the deployment's first account. Its secret comes from the deployment and is not stored. */
  rootUser: z
    .object({ accountId: z.string().transform(accountId), accessKeyId: z.string(), secretAccessKey: z.string() })
    .optional(),
  /** A file with the key that encrypts what identity keeps secret, mode 0600; made on first start. */
  secretsKeyFile: z.string().min(1).optional(),
  /** The key itself, 32 bytes in base64; other versions after it, separated by commas. */
  secretsKey: z.string().min(1).optional(),
  pkcs11: pkcs11Schema.optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

/** @throws ConfigError unless exactly one source of the secrets key is set. @throws RootKeyError when it can't be had here */
export const identityRootKeyProvider = (settings: Record<string, unknown> | undefined): RootKeyProvider => {
  const { secretsKeyFile: file, secretsKey: secret, pkcs11 } = settingsSchema.parse(settings ?? {});
  return rootKeyProvider({ file, secret, pkcs11 }, { service: 'identity', variable: 'HOLDFAST_IDENTITY_SECRETS_KEY' });
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
  ...pkcs11Variables,
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
      pkcs11: pkcs11Options(values),
    });
  },
};
