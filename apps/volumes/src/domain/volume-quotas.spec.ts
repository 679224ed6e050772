import { expect, it } from 'vitest';
import { checkVolumeQuotas } from './volume-quotas.ts';
import type { VolumeConfiguration } from './volume-type-limits.ts';

const quotas = { storageTiB: 2, iops: 1000 };
const gp3: VolumeConfiguration = { volumeType: 'gp3', sizeGiB: 48, iops: 3000, throughputMiBps: 125 };
const io1: VolumeConfiguration = { volumeType: 'io1', sizeGiB: 20, iops: 500, throughputMiBps: null };

it.each([
  [{ storageGiB: 2000, iops: 9000 }, gp3, null],
  [{ storageGiB: 2001, iops: 0 }, gp3, { code: 'StorageQuotaExceeded', details: { volumeType: 'gp3', maximum: 2 } }],
  [{ storageGiB: 0, iops: 500 }, io1, null],
  [{ storageGiB: 0, iops: 501 }, io1, { code: 'IopsQuotaExceeded', details: { volumeType: 'io1', maximum: 1000 } }],
  [{ storageGiB: 2040, iops: 501 }, io1, { code: 'StorageQuotaExceeded' }],
])('what there is, %j, and %j', (usage, configuration, refusal) => {
  const check = () => checkVolumeQuotas(usage, configuration, quotas);
  if (refusal === null) expect(check).not.toThrow();
  else expect(check).toThrow(expect.objectContaining(refusal));
});
