export interface CopyEncryptionRequest {
  encrypted?: boolean;
  kmsKeyId?: string;
}

/** The account's settings in the destination Region. */
export interface EncryptionDefaults {
  encryptionByDefault: boolean;
  /** Null: never changed. */
  defaultKmsKeyId: string | null;
}

/** The key that AWS manages for EBS, made by KMS when it is first needed. */
const AWS_MANAGED_KEY = 'alias/aws/ebs';

/**
 * The key that a copy is encrypted with; null: the copy is not encrypted. Unlike a volume's, a copy's key is never the
 * source's own unless the request names it, and KmsKeyId alone asks for encryption. `Encrypted: false` asks for nothing: it
 * takes no encryption away.
 * @see Amazon EBS encryption, "Encryption outcomes" of CopySnapshot
 */
export const copyEncryptionOutcome = (
  { encrypted, kmsKeyId }: CopyEncryptionRequest,
  { encryptionByDefault, defaultKmsKeyId }: EncryptionDefaults,
  source: { encrypted: boolean },
): string | null => {
  if (kmsKeyId !== undefined) return kmsKeyId;
  return encrypted === true || source.encrypted || encryptionByDefault ? (defaultKmsKeyId ?? AWS_MANAGED_KEY) : null;
};
