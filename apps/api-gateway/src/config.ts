import type { OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';

export const settingsSchema = z.object({
  host: z.string().min(1),
  port: z.number().int().min(0).max(65_535),
  requestRates: z.string().optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

const variables = z.object({
  HOLDFAST_HOST: z.string().min(1).default('0.0.0.0'),
  HOLDFAST_PORT: z.coerce.number().int().min(1).max(65_535).default(4566),
  /** Request rates of each account and Region: `off`, `aws`, or some like `aws,kms:CreateKey=10`. */
  HOLDFAST_REQUEST_RATES: z.string().min(1).optional(),
});

export const ownSettings: OwnSettings<typeof variables.shape> = {
  variables,
  settings: ({ HOLDFAST_HOST, HOLDFAST_PORT, HOLDFAST_REQUEST_RATES }) => ({
    host: HOLDFAST_HOST,
    port: HOLDFAST_PORT,
    requestRates: HOLDFAST_REQUEST_RATES,
  }),
};
