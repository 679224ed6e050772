import { accountId } from '@holdfast/contracts';
import type { OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';

/** The root user of the deployment's first account. Its secret comes from the deployment and is not stored. */
export const settingsSchema = z.object({
  rootUser: z
    .object({ accountId: z.string().transform(accountId), accessKeyId: z.string(), secretAccessKey: z.string() })
    .optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

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
});

export const ownSettings: OwnSettings<typeof variables.shape> = {
  variables,
  settings: (values) => {
    const rootUser = {
      accountId: values.HOLDFAST_ROOT_ACCOUNT_ID,
      accessKeyId: values.HOLDFAST_ROOT_ACCESS_KEY_ID,
      secretAccessKey: values.HOLDFAST_ROOT_SECRET_ACCESS_KEY,
    };
    return Object.values(rootUser).every((value) => value === undefined) ? {} : settingsSchema.parse({ rootUser });
  },
};
