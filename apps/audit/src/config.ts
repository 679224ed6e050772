import type { OwnSettings } from '@holdfast/service-kit';
import { z } from 'zod';

export const settingsSchema = z.object({
  /** How long decisions are kept; as CloudTrail keeps its events. */
  decisionDays: z.number().int().min(1).default(90),
  /** How many decisions are kept at most. */
  decisionLimit: z.number().int().min(1).default(1_000_000),
  /** How long notifications can be read again. */
  notificationDays: z.number().int().min(1).default(7),
  notificationMiB: z.number().int().min(1).default(64),
});
export type Settings = z.infer<typeof settingsSchema>;

const count = z.coerce.number().int().min(1).optional();
const variables = z.object({
  HOLDFAST_DECISION_DAYS: count,
  HOLDFAST_DECISION_LIMIT: count,
  HOLDFAST_NOTIFICATION_DAYS: count,
  HOLDFAST_NOTIFICATION_MIB: count,
});

export const ownSettings: OwnSettings<typeof variables.shape> = {
  variables,
  settings: (values) => ({
    decisionDays: values.HOLDFAST_DECISION_DAYS,
    decisionLimit: values.HOLDFAST_DECISION_LIMIT,
    notificationDays: values.HOLDFAST_NOTIFICATION_DAYS,
    notificationMiB: values.HOLDFAST_NOTIFICATION_MIB,
  }),
};
