import { DomainError } from '@holdfast/decider';

/** What each refusal tells besides its name. The inbound adapter turns every one of them into AWS's own error. */
export interface KmsErrorDetails {
  KeyNotFound: { arn: string };
  InvalidKeyId: { keyId: string };
  InvalidArn: { arn: string };
  KeyDisabled: { arn: string };
  KeyPendingDeletion: { arn: string };
  KeyNotPendingDeletion: { arn: string };
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
