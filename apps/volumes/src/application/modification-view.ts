import type { ec2 } from '@holdfast/aws-protocol';
import type { VolumeConfiguration } from '../domain/volume-type-limits.ts';
import type { ModificationDetails } from './ports.ts';
import { wholeSeconds } from './whole-seconds.ts';

const members = (prefix: 'Original' | 'Target', configuration: VolumeConfiguration) => ({
  [`${prefix}Size`]: configuration.sizeGiB,
  [`${prefix}VolumeType`]: configuration.volumeType,
  [`${prefix}Iops`]: configuration.iops ?? undefined,
  [`${prefix}Throughput`]: configuration.throughputMiBps ?? undefined,
  [`${prefix}MultiAttachEnabled`]: configuration.multiAttachEnabled ?? false,
});

/** Both configurations in full, as ModifyVolume answers and DescribeVolumesModifications lists them. */
export const modificationView = (
  volumeId: string,
  { state, original, target, startTime, endTime, progress, statusMessage }: Omit<ModificationDetails, 'volumeId'>,
): ec2.VolumeModification => ({
  VolumeId: volumeId,
  ModificationState: state,
  StatusMessage: statusMessage ?? undefined,
  ...members('Original', original),
  ...members('Target', target),
  Progress: progress,
  StartTime: wholeSeconds(startTime),
  EndTime: endTime === null ? undefined : wholeSeconds(endTime),
});
