import { DomainError } from '@holdfast/decider';
import type { VolumeConfiguration } from './volume-type-limits.ts';

/** What an account may have in one Region, of each volume type on its own. */
export interface VolumeQuotas {
  readonly storageTiB: number;
  /** Provisioned ones, of io1 and io2 volumes. */
  readonly iops: number;
}

/** Those of AWS's large Regions. @see Amazon EBS user guide, "Quotas for Amazon EBS" */
export const DEFAULT_VOLUME_QUOTAS: VolumeQuotas = { storageTiB: 300, iops: 300_000 };

export type VolumeQuotaErrorCode = 'StorageQuotaExceeded' | 'IopsQuotaExceeded';

const GIB_PER_TIB = 1024;

/**
 * Whether a volume of this configuration may be added to what there is.
 * @throws DomainError VolumeQuotaErrorCode
 */
export const checkVolumeQuotas = (
  usage: { readonly storageGiB: number; readonly iops: number },
  { volumeType, sizeGiB, iops }: VolumeConfiguration,
  quotas: VolumeQuotas,
): void => {
  if (usage.storageGiB + sizeGiB > quotas.storageTiB * GIB_PER_TIB)
    throw new DomainError('StorageQuotaExceeded', { volumeType, maximum: quotas.storageTiB });
  const isProvisioned = volumeType === 'io1' || volumeType === 'io2';
  if (isProvisioned && usage.iops + (iops ?? 0) > quotas.iops)
    throw new DomainError('IopsQuotaExceeded', { volumeType, maximum: quotas.iops });
};
