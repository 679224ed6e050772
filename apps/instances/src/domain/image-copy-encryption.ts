import { DomainError } from '@holdfast/decider';

export interface ImageCopyRequest {
  encrypted?: boolean;
  kmsKeyId?: string;
  /** Whether the source is in another Region, where its key can't be used. */
  crossRegion: boolean;
}

/** The account's settings in the destination Region. */
export interface EncryptionDefaults {
  encryptionByDefault: boolean;
  /** Null: never changed. */
  defaultKmsKeyId: string | null;
}

/** A snapshot of the image that is copied. */
export interface CopiedSnapshot {
  owned: boolean;
  keyArn: string | null;
}

export type ImageCopyErrorCode = 'KmsKeyIdWithoutEncrypted';

/** The key that AWS manages for EBS, made by KMS when it is first needed. */
const AWS_MANAGED_KEY = 'alias/aws/ebs';

/**
 * The key that CopyImage encrypts the copy of a snapshot with; null: the copy is not encrypted. Unlike CopySnapshot, it keeps
 * the key of one's own encrypted snapshot, and KmsKeyId asks for nothing without Encrypted. `Encrypted: false` takes no
 * encryption away. The rows are those of the table that the spec runs.
 * @throws DomainError ImageCopyErrorCode
 * @see Amazon EC2 user guide, "Use encryption with EBS-backed AMIs", image-copying scenarios
 */
export const imageCopyEncryption = (
  { encrypted, kmsKeyId, crossRegion }: ImageCopyRequest,
  { encryptionByDefault, defaultKmsKeyId }: EncryptionDefaults,
  { owned, keyArn }: CopiedSnapshot,
): string | null => {
  if (kmsKeyId !== undefined) {
    if (encrypted !== true) throw new DomainError<ImageCopyErrorCode>('KmsKeyIdWithoutEncrypted');
    return kmsKeyId;
  }
  if (keyArn !== null && owned && !crossRegion) return keyArn;
  return encrypted === true || keyArn !== null || encryptionByDefault ? (defaultKmsKeyId ?? AWS_MANAGED_KEY) : null;
};
