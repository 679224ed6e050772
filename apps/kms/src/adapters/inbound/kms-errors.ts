import { AwsError, type AwsErrorShape } from '@holdfast/contracts';
import { DomainError } from '@holdfast/decider';
import type { KmsErrorCode, KmsErrorDetails } from '../../domain/errors.ts';

type Table = { readonly [Code in KmsErrorCode]: (details: KmsErrorDetails[Code]) => AwsErrorShape };

/** KMS's own words, recorded where they could be. Every one of them is answered with HTTP 400, whatever the model says. */
const KMS_ERRORS: Table = {
  KeyNotFound: ({ arn }) => ({ code: 'NotFoundException', message: `Key '${arn}' does not exist` }),
  InvalidKeyId: ({ keyId }) => ({ code: 'NotFoundException', message: `Invalid keyId '${keyId}'` }),
  InvalidArn: ({ arn }) => ({ code: 'NotFoundException', message: `Invalid arn ${arn}` }),
  KeyDisabled: ({ arn }) => ({ code: 'DisabledException', message: `${arn} is disabled.` }),
  KeyPendingDeletion: ({ arn }) => ({ code: 'KMSInvalidStateException', message: `${arn} is pending deletion.` }),
  KeyNotPendingDeletion: ({ arn }) => ({
    code: 'KMSInvalidStateException',
    message: `${arn} is not pending deletion.`,
  }),
  KeyPendingImport: ({ arn }) => ({ code: 'KMSInvalidStateException', message: `${arn} is pending import.` }),
  KeyUnavailable: ({ arn }) => ({ code: 'KMSInvalidStateException', message: `${arn} is unavailable.` }),
  KeyCreating: ({ arn }) => ({ code: 'KMSInvalidStateException', message: `${arn} is creating.` }),
  KeyUpdating: ({ arn }) => ({ code: 'KMSInvalidStateException', message: `${arn} is updating.` }),
  InvalidKeyUsage: ({ arn, keyUsage, operation }) => ({
    code: 'InvalidKeyUsageException',
    message: `${arn} key usage is ${keyUsage} which is not valid for ${operation}.`,
  }),
  InvalidKeySpec: ({ arn, keySpec, operation }) => ({
    code: 'InvalidKeyUsageException',
    message: `${arn} key spec is ${keySpec} which is not valid for ${operation}.`,
  }),
  OperationUnsupported: () => ({ code: 'UnsupportedOperationException' }),
  OriginUnsupported: ({ arn, origin }) => ({
    code: 'UnsupportedOperationException',
    message: `${arn} origin is ${origin} which is not valid for this operation.`,
  }),
  NotPrimaryKey: ({ arn }) => ({
    code: 'UnsupportedOperationException',
    message: `${arn} is not a multi-region primary key.`,
  }),
  RotationLimitExceeded: ({ arn }) => ({
    code: 'LimitExceededException',
    message:
      'The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be ' +
      `performed for this key: ${arn}`,
  }),
  RotationInProgress: ({ arn }) => ({
    code: 'ConflictException',
    message: `An automatic rotation of ${arn} is in progress or due.`,
  }),
  NoMaterialToRotate: ({ arn }) => ({
    code: 'KMSInvalidStateException',
    message: `No available key material pending rotation for the key: ${arn}.`,
  }),
  MaterialAlreadyPending: ({ arn, newMaterialId, pendingMaterialId }) => ({
    code: 'KMSInvalidStateException',
    message:
      `New key material (id: ${newMaterialId}) cannot be imported into KMS key ${arn}, because another key material ` +
      `(id: ${pendingMaterialId}) is pending rotation.`,
  }),
  MaterialNotFound: ({ materialId }) => ({
    code: 'NotFoundException',
    message: `Key material ${materialId} is not found.`,
  }),
  IncorrectKeyMaterial: () => ({
    code: 'IncorrectKeyMaterialException',
    message: 'The key material in the request is not the key material that was imported into this KMS key before.',
  }),
  InvalidImportToken: () => ({ code: 'InvalidImportTokenException', message: 'The import token is invalid.' }),
  ExpiredImportToken: () => ({ code: 'ExpiredImportTokenException', message: 'The import token has expired.' }),
  InvalidSignature: () => ({ code: 'KMSInvalidSignatureException' }),
  InvalidMac: () => ({ code: 'KMSInvalidMacException' }),
  ReplicaAlreadyExists: ({ arn }) => ({ code: 'AlreadyExistsException', message: `${arn} already exists.` }),
  MalformedPolicy: ({ message }) => ({ code: 'MalformedPolicyDocumentException', message }),
  PolicyTooLong: ({ limitBytes }) => ({
    code: 'LimitExceededException',
    message: `The key policy is longer than ${String(limitBytes)} bytes.`,
  }),
  KeyLimitExceeded: () => ({
    code: 'LimitExceededException',
    message: 'The limit of keys has been reached for this account and Region.',
  }),
  KeyAlreadyExists: ({ keyId }) => ({ code: 'AlreadyExistsException', message: `Key ${keyId} already exists` }),
  AliasNotFound: ({ aliasArn }) => ({ code: 'NotFoundException', message: `Alias ${aliasArn} is not found.` }),
  AliasAlreadyExists: ({ aliasArn }) => ({
    code: 'AlreadyExistsException',
    message: `An alias with the name ${aliasArn} already exists`,
  }),
  AliasReserved: () => ({ code: 'NotAuthorizedException' }),
  AliasWithoutPrefix: () => ({
    code: 'ValidationException',
    message:
      'Alias must start with the prefix "alias/". Please see ' +
      'https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
  }),
  AliasOfAlias: () => ({ code: 'ValidationException', message: 'Aliases must refer to keys. Not aliases' }),
  AliasCharacters: ({ aliasName }) => ({
    code: 'ValidationException',
    message: `${aliasName} contains invalid characters for an alias`,
  }),
  AliasLimitExceeded: ({ arn }) => ({
    code: 'LimitExceededException',
    message: `The limit of aliases has been reached for ${arn}`,
  }),
  DuplicateTagKeys: () => ({ code: 'TagException', message: 'Duplicate tag keys' }),
  TooManyTags: () => ({ code: 'TagException', message: 'Too many tags' }),
  ReservedTagKey: () => ({ code: 'TagException', message: 'Tags beginning with aws: are reserved' }),
  AccessDenied: ({ message }) => ({ code: 'AccessDeniedException', message }),
  CiphertextKeyInaccessible: () => ({
    code: 'AccessDeniedException',
    message:
      'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are ' +
      'not allowed to access.',
  }),
  IncorrectKey: () => ({
    code: 'IncorrectKeyException',
    message: 'The key ID in the request does not identify a CMK that can perform this operation.',
  }),
  InvalidCiphertext: () => ({ code: 'InvalidCiphertextException' }),
  IncompatibleAlgorithm: ({ algorithm, keySpec }) => ({
    code: 'InvalidKeyUsageException',
    message: `Algorithm ${algorithm} is incompatible with key spec ${keySpec}.`,
  }),
  KeyArnRequired: ({ keyId }) => ({ code: 'InvalidArnException', message: `Invalid arn ${keyId}` }),
  GrantNotFound: ({ grantId }) => ({ code: 'NotFoundException', message: `Grant ID ${grantId} not found` }),
  GrantLimitExceeded: ({ arn }) => ({
    code: 'LimitExceededException',
    message: `The limit of grants has been reached for ${arn}`,
  }),
  InvalidGrantToken: () => ({ code: 'InvalidGrantTokenException', message: 'Invalid grant token' }),
  InvalidPrincipal: ({ arn }) => ({
    code: 'InvalidArnException',
    message: `ARN does not refer to a valid principal: ${arn}`,
  }),
  InvalidMarker: () => ({ code: 'InvalidMarkerException', message: 'Invalid marker' }),
  PolicyNotFound: () => ({ code: 'NotFoundException', message: 'No such policy exists' }),
  DryRun: () => ({
    code: 'DryRunOperationException',
    message: 'The request would have succeeded, but the DryRun option is set.',
  }),
  NotSupported: ({ message }) => ({ code: 'UnsupportedOperationException', message }),
  Invalid: ({ message }) => ({ code: 'ValidationException', message }),
};

/** What a refusal is at the API; anything else stays what it is: a bug or an outage. */
export const toAwsError = (error: unknown): unknown => {
  if (!(error instanceof DomainError) || !Object.hasOwn(KMS_ERRORS, error.code)) return error;
  const shapeOf = KMS_ERRORS[error.code as KmsErrorCode] as (details: unknown) => AwsErrorShape;
  return new AwsError(shapeOf(error.details));
};
