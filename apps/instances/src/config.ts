import type { OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';

export const settingsSchema = z.object({
  /** The data-plane host that serves the devices of new instances. */
  hostId: z.string().min(1),
  /** 32 bytes, base64, one for all replicas: encrypts page tokens. Absent: made at start, and tokens end with the process. */
  pageTokenKey: z.string().optional(),
  /** Instances that an account may have in a Region at once. */
  instanceLimit: z.number().int().positive().default(1000),
});
export type Settings = z.infer<typeof settingsSchema>;

const variables = z.object({
  HOLDFAST_HOST_ID: z.string().min(1).default('local'),
  HOLDFAST_PAGE_TOKEN_KEY: z.string().optional(),
});

export const ownSettings: OwnSettings<typeof variables.shape> = {
  variables,
  settings: (values) => ({ hostId: values.HOLDFAST_HOST_ID, pageTokenKey: values.HOLDFAST_PAGE_TOKEN_KEY }),
};
