import type { AccountId, Instant, Region } from '@holdfast/contracts';

export interface Tag {
  TagKey: string;
  TagValue: string;
}

/** CUSTOMER: made by CreateKey. AWS: made on first need, used through its service only, and changed by nobody. */
export type KeyManager = 'CUSTOMER' | 'AWS';

/**
 * The facts of one KMS key's life; stream `key-<keyId>`. Key material is never in an event: `materialId` (64 hex) names its
 * row in `key_material`, which is removed with the key.
 */
export type KeyEvent =
  | {
      type: 'KeyCreated';
      keyId: string;
      accountId: AccountId;
      region: Region;
      keyManager: KeyManager;
      keySpec: 'SYMMETRIC_DEFAULT';
      keyUsage: 'ENCRYPT_DECRYPT';
      origin: 'AWS_KMS';
      description: string;
      tags: Tag[];
      materialId: string;
      at: Instant;
    }
  | { type: 'KeyDescriptionUpdated'; keyId: string; description: string; at: Instant }
  | { type: 'KeyEnabled'; keyId: string; at: Instant }
  | { type: 'KeyDisabled'; keyId: string; at: Instant }
  | { type: 'KeyDeletionScheduled'; keyId: string; deletionDate: Instant; pendingWindowInDays: number; at: Instant }
  | { type: 'KeyDeletionCancelled'; keyId: string; at: Instant }
  | { type: 'KeyDeleted'; keyId: string; at: Instant }
  | { type: 'KeyTagged'; keyId: string; tags: Tag[]; at: Instant }
  | { type: 'KeyUntagged'; keyId: string; tagKeys: string[]; at: Instant };
