import { AwsError } from '@holdfast/contracts';
import { describe, expect, it } from 'vitest';
import { type RefusalCode, refusal } from '../../application/refusals.ts';
import { toAwsError } from './volume-errors.ts';

const spoken = (code: RefusalCode, details: Record<string, unknown> = {}) => {
  const error = toAwsError(refusal(code, details));
  return error instanceof AwsError ? `${error.code}: ${error.message}` : error;
};

describe('refusals in the words of EC2', () => {
  it.each<[RefusalCode, Record<string, unknown>, string]>([
    ['SizeOrSnapshotMissing', {}, 'MissingParameter: The request must contain the parameter size/snapshot'],
    ['ZoneMissing', {}, 'MissingParameter: The request must contain the parameter zone'],
    ['ZoneUnknown', { zone: 'x' }, "InvalidZone.NotFound: The zone 'x' does not exist."],
    ['VolumeTypeUnknown', { volumeType: 'gp9' }, "UnknownVolumeType: Unsupported volume type 'gp9' for volume creation. "],
    ['ValueNotPositive', { value: -1, parameter: 'size' }, 'InvalidParameterValue: Value (-1) for parameter size is invalid. Value must be a positive integer.'],
    ['IopsMissing', { volumeType: 'io1' }, 'InvalidParameterCombination: The parameter iops must be specified for io1 volumes.'],
    ['IopsNotSupported', { volumeType: 'gp2' }, 'InvalidParameterCombination: The parameter iops is not supported for gp2 volumes.'],
    ['ThroughputNotSupported', { volumeType: 'io1' }, 'InvalidParameterCombination: The throughput parameter is not supported for io1 volumes.'],
    ['SizeTooSmall', { volumeType: 'st1', sizeGiB: 10, minimum: 125 }, 'InvalidParameterValue: The volume size is invalid for st1 volumes: 10 GiB. st1 volumes must be at least 125 GiB in size. Please specify a volume size above the minimum limit.'],
    ['SizeTooLarge', { volumeType: 'gp2', sizeGiB: 20000, maximum: 16384 }, 'InvalidParameterValue: Volume of 20000GiB is too large for volume type gp2; maximum is 16384GiB'],
    ['IopsTooLow', { iops: 50, minimum: 100 }, 'InvalidParameterValue: Volume iops of 50 is too low; minimum is 100.'],
    ['IopsTooHigh', { iops: 200000, maximum: 80000 }, 'InvalidParameterValue: Volume iops of 200000 is too high; maximum is 80000.'],
    ['IopsRatioTooHigh', { ratio: 600, maximum: 500 }, 'InvalidParameterValue: Iops to volume size ratio of 600.000000 is too high; maximum is 500'],
    ['ThroughputTooHigh', { throughput: 3000, maximum: 2000 }, 'InvalidParameterValue: Volume throughput of 3000 is too high; maximum is 2000.'],
    ['ThroughputRatioTooHigh', { ratio: 1 / 3, maximum: 0.25 }, 'InvalidParameterValue: Throughput (MiBps) to iops ratio of 0.333333 is too high; maximum is 0.250000 MiBps per iops'],
    ['SnapshotNotCompleted', { state: 'pending' }, 'IncorrectState: Snapshot is in invalid state - pending'],
    ['KmsKeyIdWithoutEncrypted', {}, 'InvalidParameterDependency: The parameter KmsKeyId requires the parameter Encrypted to be set.'],
    ['VolumeNotAttached', { volumeId: 'vol-1', status: 'available' }, "IncorrectState: Volume 'vol-1'is in the 'available' state."],
    ['AttachmentNotFound', { volumeId: 'vol-1', instanceId: 'i-1', device: undefined }, "InvalidAttachment.NotFound: The volume 'vol-1' is not attached to instance 'i-1'"],
    ['AttachmentNotFound', { volumeId: 'vol-1', instanceId: 'i-1', device: '/dev/sdf' }, "InvalidAttachment.NotFound: The volume 'vol-1' is not attached to instance 'i-1' as device /dev/sdf"],
    ['DeviceInUse', { device: '/dev/sdf' }, "InvalidParameterValue: Invalid value '/dev/sdf' for unixDevice. Attachment point /dev/sdf is already in use"],
    ['KeyRevoked', { volumeId: 'vol-1' }, 'CustomerKeyHasBeenRevoked: Volume vol-1 cannot be attached. The encrypted volume was unable to access the KMS master key.'],
  ])('%s %o', (code, details, text) => expect(spoken(code, details)).toBe(text)); // prettier-ignore

  it('leave other errors alone', () => {
    const error = new Error('a bug');
    expect(toAwsError(error)).toBe(error);
  });
});
