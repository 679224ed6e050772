import { AwsError, type AwsErrorShape } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { tagLimitExceeded } from '@holdfast/ec2';
import type { RefusalCode } from '../../application/refusals.ts';

type Texts = Readonly<Record<string, string>>;
type Shape = (details: Texts) => AwsErrorShape;

const error =
  (code: string, message: (details: Texts) => string): Shape =>
  (details) => ({ code, message: message(details) });

/** Wording of EC2, one row a rule. */
const AWS_ERRORS: Readonly<Record<RefusalCode, Shape>> = {
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
