import { AwsError, type AwsErrorShape } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { tagLimitExceeded } from '@holdfast/ec2';
import type { RefusalCode } from '../../application/refusals.ts';

type Details = Readonly<Record<string, unknown>>;
type Shape = (details: Readonly<Record<string, string>>) => AwsErrorShape;

const error =
  (code: string, message: (details: Readonly<Record<string, string>>) => string): Shape =>
  (details) => ({ code, message: message(details) });
const value = (message: (details: Readonly<Record<string, string>>) => string) =>
  error('InvalidParameterValue', message);
const combination = (message: (details: Readonly<Record<string, string>>) => string) =>
  error('InvalidParameterCombination', message);
/** As C's printf writes a double. */
const sixDigits = (number = '') => Number(number).toFixed(6);

const LIMIT_INCREASE = 'Please contact AWS Support to request an Elastic Block Store service limit increase.';

/** Wording of EC2, one row a rule. */
export const AWS_ERRORS: Readonly<Record<RefusalCode, Shape>> = {
  SizeOrSnapshotMissing: error('MissingParameter', () => 'The request must contain the parameter size/snapshot'),
  ZoneMissing: error('MissingParameter', () => 'The request must contain the parameter zone'),
  ZoneAmbiguous: combination(
    () => "AvailabilityZone and AvailabilityZoneId can't be used together. Specify only one of these parameters.",
  ),
  ZoneUnknown: error('InvalidZone.NotFound', ({ zone }) => `The zone '${zone}' does not exist.`),
  VolumeTypeUnknown: error(
    'UnknownVolumeType',
    ({ volumeType }) => `Unsupported volume type '${volumeType}' for volume creation. `,
  ),
  ValueNotPositive: value(
    (d) => `Value (${d['value']}) for parameter ${d['parameter']} is invalid. Value must be a positive integer.`,
  ),
  IopsMissing: combination(({ volumeType }) => `The parameter iops must be specified for ${volumeType} volumes.`),
  IopsNotSupported: combination(({ volumeType }) => `The parameter iops is not supported for ${volumeType} volumes.`),
  ThroughputNotSupported: combination(
    ({ volumeType }) => `The throughput parameter is not supported for ${volumeType} volumes.`,
  ),
  SizeTooSmall: value(
    ({ volumeType, sizeGiB, minimum }) =>
      `The volume size is invalid for ${volumeType} volumes: ${sizeGiB} GiB. ${volumeType} volumes must be at least ${minimum} GiB in size. Please specify a volume size above the minimum limit.`,
  ),
  SizeTooLarge: value(
    ({ volumeType, sizeGiB, maximum }) =>
      `Volume of ${sizeGiB}GiB is too large for volume type ${volumeType}; maximum is ${maximum}GiB`,
  ),
  IopsTooLow: value(({ iops, minimum }) => `Volume iops of ${iops} is too low; minimum is ${minimum}.`),
  IopsTooHigh: value(({ iops, maximum }) => `Volume iops of ${iops} is too high; maximum is ${maximum}.`),
  Io2LimitsExceeded: combination(
    () => 'io2 volumes configured with greater than 64 TiB or 256K IOPS or 1000:1 IOPS:GB ratio are not supported',
  ),
  IopsRatioTooHigh: value(
    ({ ratio, maximum }) => `Iops to volume size ratio of ${sixDigits(ratio)} is too high; maximum is ${maximum}`,
  ),
  ThroughputTooLow: value(
    ({ throughput, minimum }) => `Volume throughput of ${throughput} is too low; minimum is ${minimum}.`,
  ),
  ThroughputTooHigh: value(
    ({ throughput, maximum }) => `Volume throughput of ${throughput} is too high; maximum is ${maximum}.`,
  ),
  ThroughputRatioTooHigh: value(
    ({ ratio, maximum }) =>
      `Throughput (MiBps) to iops ratio of ${sixDigits(ratio)} is too high; maximum is ${sixDigits(maximum)} MiBps per iops`,
  ),
  KmsKeyIdWithoutEncrypted: error(
    'InvalidParameterDependency',
    () => 'The parameter KmsKeyId requires the parameter Encrypted to be set.',
  ),
  EncryptionCannotBeRemoved: combination(() => 'Encrypted snapshots must be used to create encrypted volumes.'),
  SnapshotNotFound: error('InvalidSnapshot.NotFound', () => 'Snapshot does not exist'),
  SnapshotArchived: error(
    'IncorrectState',
    ({ snapshotId }) => `The snapshot '${snapshotId}' is archived, or is being archived or restored.`,
  ),
  SnapshotNotCompleted: error('IncorrectState', ({ state }) => `Snapshot is in invalid state - ${state}`),
  VolumeAlreadyExists: error('InternalError', () => 'An internal error has occurred'),
  VolumeNotCreating: error('InternalError', () => 'An internal error has occurred'),
  AttachmentNotStarted: error('InternalError', () => 'An internal error has occurred'),
  VolumeNotFound: error('InvalidVolume.NotFound', ({ volumeId }) => `The volume '${volumeId}' does not exist.`),
  VolumeNotInBin: error(
    'InvalidVolume.NotFound',
    ({ volumeId }) => `The volume '${volumeId}' does not exist in the Recycle Bin.`,
  ),
  VolumeNotAvailable: error(
    'IncorrectState',
    ({ volumeId }) => `Volume '${volumeId}' is not in the 'available' state.`,
  ),
  VolumeInUse: error('VolumeInUse', ({ volumeId }) => `Volume ${volumeId} is currently in-use.`),
  VolumeAlreadyAttached: error('VolumeInUse', ({ volumeId }) => `${volumeId} is already attached to an instance`),
  // EC2 leaves out the blank.
  VolumeNotAttached: error(
    'IncorrectState',
    ({ volumeId, status }) => `Volume '${volumeId}'is in the '${status}' state.`,
  ),
  AttachmentNotFound: error(
    'InvalidAttachment.NotFound',
    ({ volumeId, instanceId, device }) =>
      `The volume '${volumeId}' is not attached to instance '${instanceId}'${device === undefined ? '' : ` as device ${device}`}`,
  ),
  InstanceIdMalformed: error('InvalidInstanceID.Malformed', ({ instanceId }) => `Invalid id: "${instanceId}"`),
  InstanceNotFound: error(
    'InvalidInstanceID.NotFound',
    ({ instanceId }) => `The instance ID '${instanceId}' does not exist`,
  ),
  InstanceNotRunning: error('IncorrectState', ({ instanceId }) => `Instance '${instanceId}' is not 'running'.`),
  ZoneMismatch: error(
    'InvalidVolume.ZoneMismatch',
    ({ volumeId, instanceId }) =>
      `The volume '${volumeId}' is not in the same availability zone as instance '${instanceId}'`,
  ),
  RootVolumeInUse: error(
    'OperationNotPermitted',
    ({ volumeId, instanceId }) => `Unable to detach root volume '${volumeId}' from instance '${instanceId}'`,
  ),
  BootVolumeTypeUnsupported: error(
    'BootForVolumeTypeUnsupported',
    ({ volumeType }) => `The volume type ${volumeType} cannot be used for a boot volume.`,
  ),
  DeviceAbsent: error('InvalidInstanceAttributeValue', ({ device }) => `No device is currently mapped at ${device}`),
  DeviceInUse: value(
    ({ device }) => `Invalid value '${device}' for unixDevice. Attachment point ${device} is already in use`,
  ),
  DeviceNameInvalid: value(
    ({ device }) => `Value (${device}) for parameter device is invalid. ${device} is not a valid EBS device name.`,
  ),
  EncryptionNotSupportedByInstanceType: error(
    'EncryptedVolumesNotSupported',
    ({ instanceType }) => `Encrypted volumes are not supported by the instance type ${instanceType}.`,
  ),
  KeyRevoked: error(
    'CustomerKeyHasBeenRevoked',
    ({ volumeId }) =>
      `Volume ${volumeId} cannot be attached. The encrypted volume was unable to access the KMS master key.`,
  ),
  // EC2's texts for these five are on no record.
  MultiAttachInUse: error(
    'IncorrectState',
    ({ volumeId }) => `Volume ${volumeId} must be in the available state to change whether it is multi-attach enabled.`,
  ),
  MultiAttachInstanceTypeUnsupported: error(
    'UnsupportedOperation',
    ({ instanceType }) => `The instance type '${instanceType}' does not support multi-attach enabled volumes.`,
  ),
  MultiAttachLimitExceeded: error(
    'AttachmentLimitExceeded',
    ({ volumeId, maximum }) => `Volume ${volumeId} is already attached to ${maximum} instances.`,
  ),
  MultiAttachTypeFixed: value(() => 'The type of a multi-attach enabled volume cannot be modified.'),
  IopsQuotaExceeded: error(
    'MaxIOPSLimitExceeded',
    ({ volumeType, maximum }) =>
      `You have exceeded your maximum ${volumeType} IOPS limit of ${maximum} in this region. ${LIMIT_INCREASE}`,
  ),
  MultiAttachNotSupported: combination(
    ({ volumeType }) => `The parameter multi-attach-enabled is not supported for ${volumeType} volumes.`,
  ),
  MultiAttachIo1Fixed: value(
    () =>
      'io1 volumes with Multi-Attach enabled do not support modify-volume actions. Please review the EBS technical documentation for information on the Multi-Attach limitations and considerations.',
  ),
  InstanceIdMissing: error('MissingParameter', () => 'The request must contain the parameter instanceId'),
  AttachmentLimitExceeded: error(
    'AttachmentLimitExceeded',
    ({ maximum }) =>
      `You may attach up to ${maximum} devices for this instance type. Please use a larger instance size to attach more volumes.`,
  ),
  StorageQuotaExceeded: error(
    'VolumeLimitExceeded',
    ({ volumeType, maximum }) =>
      `You have exceeded your maximum ${volumeType} storage limit of ${maximum} TiB in this region. ${LIMIT_INCREASE}`,
  ),
  InitializationRateWithoutSnapshot: combination(
    () => "You can't specify VolumeInitializationRate for volumes that are not created from a snapshot.",
  ),
  InitializationRateNotAllowed: value(
    () => 'The value specified for VolumeInitializationRate is not in the allowed range.',
  ),
  VolumeIdMalformed: error('InvalidVolumeID.Malformed', ({ volumeId }) => `The volume ID '${volumeId}' is malformed`),
  IoAlreadyEnabled: error('IncorrectState', ({ volumeId }) => `Volume ${volumeId} already has IO enabled.`),
  ModificationNotFound: error(
    'InvalidVolumeModification.NotFound',
    ({ volumeId }) => `Modification for volume '${volumeId}' does not exist.`,
  ),
  ModificationRateExceeded: error(
    'VolumeModificationRateExceeded',
    ({ possibleAt }) =>
      `You've reached the maximum modification rate per volume limit. Wait until ${possibleAt} before you can issue the next modification request for this volume.`,
  ),
  ModificationUnfinished: error(
    'IncorrectModificationState',
    ({ volumeId, state }) => `Volume ${volumeId} cannot be modified in modification state ${state}`,
  ),
  SizeShrunk: value(() => 'New size cannot be smaller than existing size'),
  VolumeNotModifiable: error(
    'IncorrectState',
    ({ volumeId }) => `Volume ${volumeId} must be in the available or in-use state to be modified.`,
  ),
  TagLimitExceeded: () => tagLimitExceeded(),
};

const isRefusalCode = (code: string): code is RefusalCode => Object.hasOwn(AWS_ERRORS, code);

const texts = (details: Details): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(details).flatMap(([name, detail]) => (detail === undefined ? [] : [[name, String(detail)]])),
  );

/** A rule's refusal in EC2's words; anything else stays what it is. */
export const toAwsError = (thrown: unknown): unknown =>
  thrown instanceof DomainError && isRefusalCode(thrown.code)
    ? new AwsError(AWS_ERRORS[thrown.code](texts(thrown.details)))
    : thrown;
