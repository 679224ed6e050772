import { AwsError, type AwsErrorShape } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { tagLimitExceeded } from '@holdfast/ec2';
import type { RefusalCode } from '../../application/refusals.ts';

type Texts = Readonly<Record<string, string>>;
type Shape = (details: Texts) => AwsErrorShape;

const error =
  (code: string, message: (details: Texts) => string): Shape =>
  (details) => ({ code, message: message(details) });

const invalidValue = (message: (details: Texts) => string) => error('InvalidParameterValue', message);
const incorrectState = (message: (details: Texts) => string) => error('IncorrectState', message);
const exceeded = (message: string) => error('ResourceLimitExceeded', () => message);

/** Of locks, tiers, the Recycle Bin and fast restores: AWS documents the rules, and no codes; these are EC2's for the like. */
const FEATURE_ERRORS = {
  SnapshotIsLocked: error(
    'OperationNotPermitted',
    ({ snapshotId }) => `The snapshot '${snapshotId}' is locked and cannot be deleted.`,
  ),
  SnapshotNotLocked: incorrectState(({ snapshotId }) => `The snapshot '${snapshotId}' is not locked.`),
  ComplianceLockNotChangeable: error(
    'OperationNotPermitted',
    ({ snapshotId }) =>
      `The snapshot '${snapshotId}' is locked in compliance mode. It cannot be unlocked, and its lock mode cannot be changed.`,
  ),
  CoolOffNotForGovernance: error(
    'InvalidParameterCombination',
    () => 'CoolOffPeriod cannot be specified for governance mode.',
  ),
  CoolOffOutOfRange: invalidValue(
    ({ value }) => `Value (${value}) for parameter coolOffPeriod is invalid. Specify a value between 1 and 72 hours.`,
  ),
  CoolOffOver: error(
    'InvalidParameterCombination',
    () => 'CoolOffPeriod cannot be specified once the cooling-off period of the lock is over.',
  ),
  LockDurationOutOfRange: invalidValue(
    ({ value }) => `Value (${value}) for parameter lockDuration is invalid. Specify a value between 1 and 36500 days.`,
  ),
  LockDateOutOfRange: invalidValue(
    ({ value }) => `The lock would expire on ${value}, which is not in the future or is more than 36500 days away.`,
  ),
  LockNotExtended: error(
    'OperationNotPermitted',
    ({ snapshotId }) => `The snapshot '${snapshotId}' is locked in compliance mode. Its lock can only be extended.`,
  ),
  SnapshotNotCompleted: incorrectState(
    ({ snapshotId }) => `The snapshot '${snapshotId}' is not in the 'completed' state.`,
  ),
  SnapshotNotInStandardTier: incorrectState(
    ({ snapshotId }) => `The snapshot '${snapshotId}' is archived, or is being archived or restored.`,
  ),
  SnapshotNotArchived: incorrectState(({ snapshotId }) => `The snapshot '${snapshotId}' is not archived.`),
  RestoreDaysOutOfRange: invalidValue(
    ({ value }) =>
      `Value (${value}) for parameter temporaryRestoreDays is invalid. Specify a value between 1 and 180 days.`,
  ),
  ArchivedSnapshotsExceeded: exceeded('The maximum number of archived snapshots per volume has been reached.'),
  ConcurrentArchivalsExceeded: exceeded('The maximum number of concurrent snapshot archives has been reached.'),
  ConcurrentRestoresExceeded: exceeded('The maximum number of concurrent snapshot restores has been reached.'),
  SnapshotNotInBin: error(
    'InvalidSnapshot.NotFound',
    ({ snapshotId }) => `The snapshot '${snapshotId}' does not exist in the Recycle Bin.`,
  ),
  FastRestoreAlreadyEnabled: error(
    'InvalidFastSnapshotRestore.AlreadyExists',
    ({ snapshotId, zone }) => `Fast snapshot restores are enabled already for '${snapshotId}' in ${zone}.`,
  ),
  FastRestoreNotEnabled: error(
    'InvalidFastSnapshotRestore.NotFound',
    ({ snapshotId, zone }) => `Fast snapshot restores are not enabled for '${snapshotId}' in ${zone}.`,
  ),
  FastRestoreTooLarge: invalidValue(({ snapshotId }) => `The snapshot '${snapshotId}' has more than 16 TiB.`),
  FastRestoresExceeded: exceeded('The maximum number of snapshots with fast snapshot restores has been reached.'),
  InstanceIdMalformed: error('InvalidInstanceID.Malformed', ({ instanceId }) => `Invalid id: "${instanceId}"`),
  InstanceNotFound: error(
    'InvalidInstanceID.NotFound',
    ({ instanceId }) => `The instance ID '${instanceId}' does not exist`,
  ),
  RootVolumeExcluded: invalidValue(
    ({ volumeId }) => `'${volumeId}' is the root volume. To leave it out, specify ExcludeBootVolume.`,
  ),
  VolumeNotAttached: invalidValue(
    ({ volumeId, instanceId }) => `The volume '${volumeId}' is not attached to the instance '${instanceId}'.`,
  ),
  SnapshotLimitExceeded: error(
    'SnapshotLimitExceeded',
    () => 'The maximum number of snapshots for the account in this Region has been reached.',
  ),
} satisfies Partial<Record<RefusalCode, Shape>>;

/** Wording of EC2, one row a rule. */
const AWS_ERRORS: Readonly<Record<RefusalCode, Shape>> = {
  ...FEATURE_ERRORS,
  SnapshotAlreadyExists: error('InternalError', () => 'An internal error has occurred'),
  SnapshotNotPending: error('InternalError', () => 'An internal error has occurred'),
  SnapshotNotFound: error(
    'InvalidSnapshot.NotFound',
    ({ snapshotId }) => `The snapshot '${snapshotId}' does not exist.`,
  ),
  VolumeNotFound: error('InvalidVolume.NotFound', ({ volumeId }) => `The volume '${volumeId}' does not exist.`),
  VolumeNotReady: error(
    'IncorrectState',
    ({ volumeId }) => `Volume '${volumeId}' is not in the 'available' or 'in-use' state.`,
  ),
  DescriptionNotAscii: error(
    'InvalidParameterValue',
    ({ description }) =>
      `Value (${description}) for parameter description is invalid. Character sets beyond ASCII are not supported.`,
  ),
  DescriptionTooLong: error(
    'InvalidParameterValue',
    ({ maximum }) => `The description is invalid. It must be at most ${maximum} characters long.`,
  ),
  SnapshotRateExceeded: error(
    'SnapshotCreationPerVolumeRateExceeded',
    () =>
      'The maximum per volume CreateSnapshot request rate has been exceeded. Use an increasing or variable sleep interval between requests.',
  ),
  ConcurrentSnapshotsExceeded: error(
    'ConcurrentSnapshotLimitExceeded',
    () => 'Maximum allowed in-progress snapshots for a single volume exceeded.',
  ),
  ConcurrentCopiesExceeded: error(
    'ResourceLimitExceeded',
    () => 'The maximum number of concurrent snapshot copies has been reached.',
  ),
  RegionUnknown: error('InvalidRegion', ({ region }) => `${region} is not a valid region name.`),
  DestinationRegionMismatch: error(
    'InvalidParameterValue',
    ({ region, current }) => `DestinationRegion '${region}' does not match the current region (${current})`,
  ),
  EncryptedSnapshotNotPublic: error('OperationNotPermitted', () => 'Encrypted snapshots cannot be shared publicly.'),
  DefaultKeySnapshotNotShareable: error(
    'OperationNotPermitted',
    () => 'Encrypted snapshots with EBS default key cannot be shared',
  ),
  PublicSharingBlocked: error(
    'OperationNotPermitted',
    () => 'Public sharing of snapshots is blocked for this account.',
  ),
  SnapshotInUse: error(
    'InvalidSnapshot.InUse',
    ({ snapshotId, imageIds }) => `The snapshot ${snapshotId} is currently in use by ${imageIds}`,
  ),
  AttributeMissing: error(
    'MissingParameter',
    () => 'Value for parameter attribute is invalid. Parameter may not be null or empty.',
  ),
  AttributeUnknown: error('InvalidRequest', () => 'The request received was invalid.'),
  PermissionEntryInvalid: error('InvalidAMIAttributeItemValue', ({ entry = '' }) => entry),
  TagLimitExceeded: () => tagLimitExceeded(),
};

const isRefusalCode = (code: string): code is RefusalCode => Object.hasOwn(AWS_ERRORS, code);

/** A rule's refusal in EC2's words; anything else stays what it is. */
export const toAwsError = (thrown: unknown): unknown => {
  if (!(thrown instanceof DomainError) || !isRefusalCode(thrown.code)) return thrown;
  const texts = Object.entries(thrown.details).map(([name, detail]) => [name, String(detail)] as const);
  return new AwsError(AWS_ERRORS[thrown.code](Object.fromEntries(texts)));
};
