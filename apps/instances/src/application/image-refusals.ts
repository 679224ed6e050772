import { AwsError, type AwsErrorShape } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import { tagLimitExceeded } from '@holdfast/ec2';
import type { ImageCopyErrorCode } from '../domain/image-copy-encryption.ts';
import type { ImageErrorCode } from '../domain/image.decider.ts';
import type { ImageDeviceErrorCode } from '../domain/image-devices.ts';

type Code = ImageErrorCode | ImageDeviceErrorCode | ImageCopyErrorCode;
type Shape = (details: Readonly<Record<string, unknown>>) => AwsErrorShape;

const mapping =
  (text: (device: string, snapshotId: string) => string): Shape =>
  ({ device, snapshotId }) => ({
    code: 'InvalidBlockDeviceMapping',
    message: text(String(device), String(snapshotId)),
  });

const notPermitted = (message: string) => (): AwsErrorShape => ({ code: 'OperationNotPermitted', message });

/** Wording of EC2, one row a rule; those of `OperationNotPermitted` are ModifySnapshotAttribute's, by which EC2 shares images. */
const AWS_ERRORS: Readonly<Record<Code, Shape>> = {
  ImageAlreadyExists: () => ({ code: 'InternalError', message: 'An internal error has occurred' }),
  ImageNotFound: ({ imageId }) => imageUnavailable(String(imageId)),
  DeprecationInPast: ({ asked }) => ({
    code: 'InvalidParameterValue',
    message: `Value (${String(asked)}) for parameter DeprecateAt is invalid. The date must not be in the past.`,
  }),
  DeprecationOfPublicImage: notPermitted(
    'The deprecation of a public image cannot be cancelled. Make the image private first.',
  ),
  DeprecationTooLate: ({ asked, limit }) => ({
    code: 'InvalidParameterValue',
    message: `Value (${String(asked)}) for parameter DeprecateAt is invalid. The date must not be after ${String(limit)}.`,
  }),
  ImageInCooldown: ({ imageId, protectedUntil }) => ({
    code: 'OperationNotPermitted',
    message: `The image ${String(imageId)} cannot be deregistered before ${String(protectedUntil)}, when the cooldown of its deregistration protection ends.`,
  }),
  ImageIsDisabled: ({ imageId }) => ({
    code: 'IncorrectState',
    message: `The image '${String(imageId)}' is disabled and cannot be shared.`,
  }),
  ImageNotAvailable: ({ imageId, status }) => ({
    code: 'IncorrectState',
    message: `The image '${String(imageId)}' is in the state '${String(status)}'; it must be available or disabled.`,
  }),
  ImageNotInBin: ({ imageId }) => imageNotInBin(String(imageId)),
  ImageProtected: ({ imageId }) => ({
    code: 'OperationNotPermitted',
    message: `The image ${String(imageId)} has deregistration protection. Disable that before you deregister it.`,
  }),
  PublicSharingBlocked: notPermitted(
    "You can't publicly share this image because block public access for AMIs is enabled for this account. To publicly share the image, you must call the DisableImageBlockPublicAccess API.",
  ),
  EncryptedImageNotPublic: notPermitted('Encrypted snapshots cannot be shared publicly.'),
  DefaultKeyImageNotShareable: notPermitted('Encrypted snapshots with EBS default key cannot be shared'),
  TagLimitExceeded: () => tagLimitExceeded(),
  KmsKeyIdWithoutEncrypted: () => ({
    code: 'InvalidParameterDependency',
    message: 'The parameter KmsKeyId requires the parameter Encrypted to be set.',
  }),
  DeviceRepeated: mapping(() => 'Block device mapping contains a device name more than once'),
  DeviceWithoutVolume: mapping((device) => `Either snapshot ID or volume size must be provided for: ${device}`),
  EncryptedWithSnapshot: mapping(
    (device) => `the encrypted flag cannot be specified since device ${device} has a snapshot specified.`,
  ),
  ExistingDeviceChanged: mapping(
    (device) => `Only DeleteOnTermination can be changed of the volume that is attached as ${device}`,
  ),
  ExistingVolumeEncrypted: mapping(
    (device) => `the encrypted flag cannot be set since the volume that is attached as ${device} is not encrypted.`,
  ),
  KmsKeyIdNotSupported: () => ({
    code: 'InvalidParameterCombination',
    message: 'The parameter KmsKeyId is not supported in block device mappings of images.',
  }),
  RootDeviceSuppressed: mapping((device) => `The root device ${device} cannot be suppressed`),
  RootDeviceWithoutSnapshot: mapping((device) => `A snapshot must be provided for the root device ${device}`),
  SnapshotOfNewDevice: mapping((device) => `Only empty volumes can be added; a snapshot was given for ${device}`),
};

const isCode = (code: string): code is Code => Object.hasOwn(AWS_ERRORS, code);

/** A rule's refusal in EC2's words; anything else stays what it is. */
export const imageRefusal = (thrown: unknown): unknown =>
  thrown instanceof DomainError && isCode(thrown.code) ? new AwsError(AWS_ERRORS[thrown.code](thrown.details)) : thrown;

/** Runs a rule's decision. @throws AwsError */
export const inEc2sWords = <Result>(decide: () => Result): Result => {
  try {
    return decide();
  } catch (error) {
    throw imageRefusal(error);
  }
};

export const imageNotFound = (id: string) =>
  new AwsError({ code: 'InvalidAMIID.NotFound', message: `The image id '[${id}]' does not exist` });

export const imageNotInBin = (id: string) =>
  new AwsError({
    code: 'InvalidAMIID.NotFound',
    message: `The image id '[${id}]' does not exist in the Recycle Bin`,
  });

/** It was deregistered. */
const imageUnavailable = (id: string) =>
  new AwsError({ code: 'InvalidAMIID.Unavailable', message: `The image id '[${id}]' is no longer available` });

export const imageGone = imageUnavailable;

/** It is not made yet, or its making failed. */
export const imageNotReady = (id: string, state: string) =>
  new AwsError({
    code: 'InvalidAMIID.Unavailable',
    message: `The image id '[${id}]' is not available: it is ${state}`,
  });

export const imageNameInUse = (name: string, id: string) =>
  new AwsError({ code: 'InvalidAMIName.Duplicate', message: `AMI name ${name} is already in use by AMI ${id}` });
