import type { Instant, KeyArn } from '@holdfast/contracts';

/** IAM's names of the uses: ReEncrypt is a use of each of its two keys. */
export type CryptographicOperation =
  'Encrypt' | 'Decrypt' | 'ReEncryptFrom' | 'ReEncryptTo' | 'GenerateDataKey' | 'GenerateDataKeyWithoutPlaintext';

/**
 * A key was used, committed before the result left. Streams `key-use-<uuid>`, so that uses conflict with nothing; the
 * caller's address and agent are in the metadata. Never carries plaintext or ciphertext.
 */
export interface KeyUsed {
  type: 'KeyUsed';
  keyId: string;
  keyArn: KeyArn;
  operation: CryptographicOperation;
  /** 64 hex: which of the key's materials did it. */
  materialId: string;
  encryptionContext: Record<string, string>;
  principalArn: string;
  /** Null: the key's policy allowed it. */
  grantId: string | null;
  viaService: string | null;
  requestId: string;
  at: Instant;
}
