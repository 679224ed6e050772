import type { Instant, KeyArn } from '@holdfast/contracts';
import type { CryptographicOperation } from './key-specs.ts';

/**
 * A key was used, committed before the result left. Streams `key-use-<uuid>`, so that uses conflict with nothing; the
 * caller's address and agent are in the metadata. Never carries plaintext or ciphertext.
 */
export interface KeyUsed {
  type: 'KeyUsed';
  keyId: string;
  keyArn: KeyArn;
  /** By IAM's names: ReEncrypt is a use of each of its two keys. */
  operation: CryptographicOperation;
  /** By KMS's names; absent in events of the first release: SYMMETRIC_DEFAULT. */
  algorithm?: string;
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
