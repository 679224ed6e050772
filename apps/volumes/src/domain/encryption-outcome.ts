import { DomainError } from '@holdfast/decider';

export interface EncryptionRequest {
  encrypted?: boolean;
  kmsKeyId?: string;
}

/** The account's settings in its Region. */
export interface EncryptionDefaults {
  encryptionByDefault: boolean;
  /** Null: never changed. */
  defaultKmsKeyId: string | null;
}

/** The snapshot that a volume is made from; null for an empty volume. */
export type EncryptionSource = { owned: boolean; keyArn: string | null } | null;

/** The key that a volume is encrypted with, and who chose it; null: the volume is not encrypted. */
export type EncryptionOutcome = { kmsKeyId: string; chosenBy: 'request' | 'source' | 'default' } | null;

export type EncryptionErrorCode = 'KmsKeyIdWithoutEncrypted' | 'EncryptionCannotBeRemoved';

/** The key that AWS manages for EBS, made by KMS when it is first needed. */
const AWS_MANAGED_KEY = 'alias/aws/ebs';

const refuse = (code: EncryptionErrorCode): never => {
  throw new DomainError(code);
};

/**
 * Whether a new volume is encrypted, and with which key. The rows are those of the table that the spec runs.
 * @throws DomainError EncryptionErrorCode
 * @see Amazon EBS encryption, "Encryption outcomes"
 */
export const encryptionOutcome = (
  { encrypted, kmsKeyId }: EncryptionRequest,
  { encryptionByDefault, defaultKmsKeyId }: EncryptionDefaults,
  source: EncryptionSource,
): EncryptionOutcome => {
  const sourceKeyArn = source?.keyArn ?? null;
  const sourceEncrypted = sourceKeyArn !== null;
  if (kmsKeyId !== undefined && encrypted !== true) return refuse('KmsKeyIdWithoutEncrypted'); // 31, 32
  if (encrypted === false && sourceEncrypted) return refuse('EncryptionCannotBeRemoved'); // 34
  if (kmsKeyId !== undefined) return { kmsKeyId, chosenBy: 'request' }; // 21-30
  if (sourceEncrypted && source?.owned === true) return { kmsKeyId: sourceKeyArn, chosenBy: 'source' }; // 3, 8, 13, 18
  // 5-7, 9-12, 14-17, 19, 20, 35: even `encrypted: false` can't opt out of encryption by default.
  if (encrypted === true || sourceEncrypted || encryptionByDefault)
    return { kmsKeyId: defaultKmsKeyId ?? AWS_MANAGED_KEY, chosenBy: 'default' };
  return null; // 1, 2, 4, 33
};
