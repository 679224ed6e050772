import type { OwnSettings, ServiceEnvironment } from '@holdfast/service-kit';
import { z } from 'zod';
import { DEFAULT_VOLUME_QUOTAS, type VolumeQuotas } from './domain/volume-quotas.ts';

const tebibytes = z.coerce.number().int().min(0).max(1_000_000);
const operations = z.coerce.number().int().min(0).max(1_000_000_000);

const variables = z.object({
  /** TiB of volumes of one type that an account may have in a Region. Default: 300, as in AWS's large Regions. */
  HOLDFAST_VOLUME_STORAGE_QUOTA_TIB: tebibytes.optional(),
  /** IOPS that an account may have provisioned in a Region, io1 and io2 on their own. Default: 300,000. */
  HOLDFAST_VOLUME_IOPS_QUOTA: operations.optional(),
});

const settingsSchema = z.strictObject({
  volumeStorageQuotaTiB: tebibytes.optional(),
  volumeIopsQuota: operations.optional(),
});

/** For `runMain`: this service's own variables. */
export const ownSettings: OwnSettings<(typeof variables)['shape']> = {
  variables,
  settings: (values) => ({
    volumeStorageQuotaTiB: values.HOLDFAST_VOLUME_STORAGE_QUOTA_TIB,
    volumeIopsQuota: values.HOLDFAST_VOLUME_IOPS_QUOTA,
  }),
};

/** @throws ZodError for a setting that this service does not have. */
export const volumeQuotas = ({ settings = {} }: ServiceEnvironment): VolumeQuotas => {
  const { volumeStorageQuotaTiB, volumeIopsQuota } = settingsSchema.parse(settings);
  return {
    storageTiB: volumeStorageQuotaTiB ?? DEFAULT_VOLUME_QUOTAS.storageTiB,
    iops: volumeIopsQuota ?? DEFAULT_VOLUME_QUOTAS.iops,
  };
};
