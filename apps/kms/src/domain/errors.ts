import { DomainError } from '@holdfast/decider';

/** What each refusal tells besides its name. The inbound adapter turns every one of them into AWS's own error. */
export interface KmsErrorDetails {
  KeyNotFound: { arn: string };
  InvalidKeyId: { keyId: string };
  InvalidArn: { arn: string };
  KeyDisabled: { arn: string };
  KeyPendingDeletion: { arn: string };
  KeyNotPendingDeletion: { arn: string };
  KeyPendingImport: { arn: string };
  KeyUnavailable: { arn: string };
  KeyCreating: { arn: string };
  KeyUpdating: { arn: string };
  /** The key's usage is another one. */
  InvalidKeyUsage: { arn: string; keyUsage: string; operation: string };
  /** Right usage, wrong kind of key: data keys of a pair. */
  InvalidKeySpec: { arn: string; keySpec: string; operation: string };
  /** Without a text, as KMS refuses what a kind of key cannot do at all. */
  OperationUnsupported: Record<string, never>;
  /** The key's material is made here and the operation is for imported material, or the other way round. */
  OriginUnsupported: { arn: string; origin: string };
  NotPrimaryKey: { arn: string };
  RotationLimitExceeded: { arn: string };
  RotationInProgress: { arn: string };
  NoMaterialToRotate: { arn: string };
  MaterialAlreadyPending: { arn: string; newMaterialId: string; pendingMaterialId: string };
  MaterialNotFound: { materialId: string };
  IncorrectKeyMaterial: Record<string, never>;
  InvalidImportToken: Record<string, never>;
  ExpiredImportToken: Record<string, never>;
  InvalidSignature: Record<string, never>;
  InvalidMac: Record<string, never>;
  ReplicaAlreadyExists: { arn: string };
  MalformedPolicy: { message: string };
  PolicyTooLong: { limitBytes: number };
  KeyLimitExceeded: Record<string, never>;
  KeyAlreadyExists: { keyId: string };
  AliasNotFound: { aliasArn: string };
  AliasAlreadyExists: { aliasArn: string };
  AliasReserved: Record<string, never>;
  AliasWithoutPrefix: Record<string, never>;
  AliasOfAlias: Record<string, never>;
  AliasCharacters: { aliasName: string };
  AliasLimitExceeded: { arn: string };
  DuplicateTagKeys: Record<string, never>;
  TooManyTags: Record<string, never>;
  ReservedTagKey: Record<string, never>;
  AccessDenied: { message: string };
  CiphertextKeyInaccessible: Record<string, never>;
  IncorrectKey: Record<string, never>;
  InvalidCiphertext: Record<string, never>;
  IncompatibleAlgorithm: { algorithm: string; keySpec: string };
  /** Where a key is named by its ARN only. */
  KeyArnRequired: { keyId: string };
  GrantNotFound: { grantId: string };
  GrantLimitExceeded: { arn: string };
  InvalidGrantToken: Record<string, never>;
  InvalidPrincipal: { arn: string };
  InvalidMarker: Record<string, never>;
  PolicyNotFound: Record<string, never>;
  /** Everything was in order and DryRun asked for no more. */
  DryRun: Record<string, never>;
  /** A parameter or value that AWS knows and this service does not do. */
  NotSupported: { message: string };
  Invalid: { message: string };
}
export type KmsErrorCode = keyof KmsErrorDetails;

/** @throws DomainError always. */
export const refuse = <Code extends KmsErrorCode>(code: Code, details: KmsErrorDetails[Code]): never => {
  throw new DomainError(code, details);
};
