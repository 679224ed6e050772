export interface DirectEncryptionRequest {
  readonly encrypted?: boolean;
  readonly kmsKeyArn?: string;
}

/** The account's settings. */
export interface DirectEncryptionDefaults {
  readonly encryptionByDefault: boolean;
  /** Null: never changed. */
  readonly defaultKmsKeyId: string | null;
}

/** What a snapshot made of blocks is encrypted with, or why the request is refused (AWS's words). */
export type DirectEncryption =
  { kind: 'none' } | { kind: 'key'; keyId: string } | { kind: 'parent' } | { kind: 'refused'; message: string };

const AWS_MANAGED_KEY = 'alias/aws/ebs';

const refused = (message: string): DirectEncryption => ({ kind: 'refused', message });

/**
 * @param parent null: none.
 * @see StartSnapshot, "Encryption": three tables, without parent, with an unencrypted and with an encrypted one.
 */
export const directEncryption = (
  { encrypted, kmsKeyArn }: DirectEncryptionRequest,
  { encryptionByDefault, defaultKmsKeyId }: DirectEncryptionDefaults,
  parent: { readonly encrypted: boolean } | null,
): DirectEncryption => {
  if (parent !== null) {
    if (kmsKeyArn !== undefined) return refused('ParentSnapshotId and KmsKeyArn cannot be specified together');
    if (encrypted !== undefined) return refused('ParentSnapshotId and Encrypt cannot be specified together');
    if (parent.encrypted) return { kind: 'parent' };
    return encryptionByDefault
      ? refused('The parent snapshot must be encrypted when encryption by default is enabled')
      : { kind: 'none' };
  }
  if (encrypted === false && kmsKeyArn !== undefined)
    return refused('Encrypt cannot be false when KmsKeyArn is specified');
  if (encrypted === false && encryptionByDefault)
    return refused('Encrypt cannot be false when encryption by default is enabled');
  if (kmsKeyArn !== undefined) return { kind: 'key', keyId: kmsKeyArn };
  if (encrypted === true || encryptionByDefault) return { kind: 'key', keyId: defaultKmsKeyId ?? AWS_MANAGED_KEY };
  return { kind: 'none' };
};
