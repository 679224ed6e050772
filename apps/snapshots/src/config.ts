import type { OwnSettings, ServiceEnvironment } from '@holdfast/service-kit';
import { z } from 'zod';

/** EC2 wants 15 seconds between two snapshots of one volume. */
const PRODUCTION_INTERVAL_SECONDS = 15;

const variables = z.object({
  /** Least time between two snapshots of one volume; 0: none. Default: 15 in production, none in development. */
  HOLDFAST_SNAPSHOT_INTERVAL_SECONDS: z.coerce.number().int().min(0).max(3600).optional(),
});

const settingsSchema = z.strictObject({ snapshotIntervalSeconds: z.number().int().min(0).max(3600).optional() });

/** For `runMain`: this service's own variable. */
export const snapshotVariables: OwnSettings<(typeof variables)['shape']> = {
  variables,
  settings: ({ HOLDFAST_SNAPSHOT_INTERVAL_SECONDS: snapshotIntervalSeconds }) => ({ snapshotIntervalSeconds }),
};

export interface SnapshotSettings {
  snapshotIntervalSeconds: number;
}

/** @throws ZodError for a setting that this service does not have. */
export const snapshotSettings = ({ mode, settings = {} }: ServiceEnvironment): SnapshotSettings => {
  const { snapshotIntervalSeconds } = settingsSchema.parse(settings);
  return {
    snapshotIntervalSeconds: snapshotIntervalSeconds ?? (mode === 'production' ? PRODUCTION_INTERVAL_SECONDS : 0),
  };
};
