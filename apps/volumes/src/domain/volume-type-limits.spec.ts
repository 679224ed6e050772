import { DomainError } from '@holdfast/decider';
import { describe, expect, it } from 'vitest';
import { volumeConfiguration, type VolumeTypeRequest } from './volume-type-limits.ts';

const refusalOf = (request: VolumeTypeRequest): string => {
  try {
    volumeConfiguration(request);
  } catch (error) {
    if (error instanceof DomainError) return error.code;
    throw error;
  }
  return 'accepted';
};

describe('a volume type', () => {
  const gp3 = { volumeType: 'gp3', iops: 3000, throughputMiBps: 125 };
  const cases: [request: VolumeTypeRequest, size: number, type: string, iops: number | null, throughput: number | null][] = [
    [{ sizeGiB: 1 }, 1, 'gp2', 100, null],
    [{ sizeGiB: 100, volumeType: 'GP2' }, 100, 'gp2', 300, null],
    [{ sizeGiB: 16_384 }, 16_384, 'gp2', 16_000, null],
    [{ sizeGiB: 1, volumeType: 'gp3' }, 1, 'gp3', 3000, 125],
    [{ sizeGiB: 1, ...gp3, iops: 100 }, 1, 'gp3', 3000, 125],
    [{ sizeGiB: 160, volumeType: 'gp3', iops: 80_000, throughputMiBps: 2000 }, 160, 'gp3', 80_000, 2000],
    [{ sizeGiB: 4, volumeType: 'io1', iops: 200 }, 4, 'io1', 200, null],
    [{ sizeGiB: 256, volumeType: 'io2', iops: 256_000 }, 256, 'io2', 256_000, null],
    [{ sizeGiB: 125, volumeType: 'st1' }, 125, 'st1', null, null],
    [{ sizeGiB: 1024, volumeType: 'standard' }, 1024, 'standard', null, null],
    [{ snapshotSizeGiB: 8 }, 8, 'gp2', 100, null],
    [{ sizeGiB: 1, snapshotSizeGiB: 8 }, 8, 'gp2', 100, null],
    [{ sizeGiB: 9, snapshotSizeGiB: 8 }, 9, 'gp2', 100, null],
  ]; // prettier-ignore
  it.each(cases)('configures %o', (request, sizeGiB, volumeType, iops, throughputMiBps) => {
    expect(volumeConfiguration(request)).toEqual({
      sizeGiB,
      volumeType,
      iops,
      throughputMiBps,
      multiAttachEnabled: false,
    });
  });

  const refusals: [request: VolumeTypeRequest, code: string][] = [
    [{}, 'SizeOrSnapshotMissing'],
    [{ volumeType: 'gp9' }, 'SizeOrSnapshotMissing'],
    [{ sizeGiB: 1, volumeType: 'gp9' }, 'VolumeTypeUnknown'],
    [{ sizeGiB: 1, volumeType: 'constructor' }, 'VolumeTypeUnknown'],
    [{ sizeGiB: -1 }, 'ValueNotPositive'],
    [{ sizeGiB: 0 }, 'ValueNotPositive'],
    [{ sizeGiB: 1, iops: -1 }, 'ValueNotPositive'],
    [{ sizeGiB: 1, volumeType: 'gp3', throughputMiBps: -1 }, 'ValueNotPositive'],
    [{ sizeGiB: 4, volumeType: 'io1' }, 'IopsMissing'],
    [{ sizeGiB: 4, volumeType: 'io2' }, 'IopsMissing'],
    [{ sizeGiB: 1, iops: 100 }, 'IopsNotSupported'],
    [{ sizeGiB: 125, volumeType: 'st1', iops: 100 }, 'IopsNotSupported'],
    [{ sizeGiB: 4, volumeType: 'io1', iops: 100, throughputMiBps: 125 }, 'ThroughputNotSupported'],
    [{ sizeGiB: 124, volumeType: 'sc1' }, 'SizeTooSmall'],
    [{ sizeGiB: 3, volumeType: 'io2', iops: 100 }, 'SizeTooSmall'],
    [{ sizeGiB: 16_385 }, 'SizeTooLarge'],
    [{ sizeGiB: 1025, volumeType: 'standard' }, 'SizeTooLarge'],
    [{ sizeGiB: 65_537, volumeType: 'gp3' }, 'SizeTooLarge'],
    [{ sizeGiB: 65_537, volumeType: 'io2', iops: 100 }, 'Io2LimitsExceeded'],
    [{ sizeGiB: 100, volumeType: 'gp3', iops: 99 }, 'IopsTooLow'],
    [{ sizeGiB: 1000, volumeType: 'gp3', iops: 80_001 }, 'IopsTooHigh'],
    [{ sizeGiB: 16_384, volumeType: 'io1', iops: 64_001 }, 'IopsTooHigh'],
    [{ sizeGiB: 16_384, volumeType: 'io2', iops: 256_001 }, 'Io2LimitsExceeded'],
    [{ sizeGiB: 4, volumeType: 'io2', iops: 4001 }, 'Io2LimitsExceeded'],
    [{ sizeGiB: 4, volumeType: 'io1', iops: 201 }, 'IopsRatioTooHigh'],
    [{ sizeGiB: 6, volumeType: 'gp3', iops: 3001 }, 'IopsRatioTooHigh'],
    [{ sizeGiB: 100, volumeType: 'gp3', throughputMiBps: 124 }, 'ThroughputTooLow'],
    [{ sizeGiB: 160, volumeType: 'gp3', iops: 80_000, throughputMiBps: 2001 }, 'ThroughputTooHigh'],
    [{ sizeGiB: 100, volumeType: 'gp3', throughputMiBps: 751 }, 'ThroughputRatioTooHigh'],
  ];
  it.each(refusals)('refuses %o: %s', (request, code) => {
    expect(refusalOf(request)).toBe(code);
  });
});
