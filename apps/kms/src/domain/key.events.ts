import type { AccountId, Instant, Region } from '@holdfast/contracts';
import type { KeySpec, KeyUsage } from './key-specs.ts';

export interface Tag {
  TagKey: string;
  TagValue: string;
}

/** CUSTOMER: made by CreateKey. AWS: made on first need, used through its service only, and changed by nobody. */
export type KeyManager = 'CUSTOMER' | 'AWS';

/** AWS_KMS: material made here. EXTERNAL: brought by its owner. */
export type KeyOrigin = 'AWS_KMS' | 'EXTERNAL';

export type RotationType = 'AUTOMATIC' | 'ON_DEMAND';

/** NEW: material that the key has not had; EXISTING: one that it has had, come again. */
export type ImportType = 'NEW_KEY_MATERIAL' | 'EXISTING_KEY_MATERIAL';

export type ExpirationModel = 'KEY_MATERIAL_EXPIRES' | 'KEY_MATERIAL_DOES_NOT_EXPIRE';

/** Unique ids of the users and roles that a policy names, by ARN, as they were when it was put. */
export type PrincipalIds = Readonly<Record<string, string>>;

/** Of a key with replicas: which of its Regions the event is about. Absent in events of the first release: the only one. */
interface InRegion {
  keyId: string;
  region?: Region;
  at: Instant;
}

/**
 * The facts of one KMS key's life; stream `key-<keyId>`. A multi-Region key and its replicas are one stream, since most of
 * what they do concerns all of them. Key material is never in an event: a `materialId` (64 hex) names its row in
 * `key_material`, which is removed with the key, or with the material's own end.
 */
export type KeyEvent =
  | {
      type: 'KeyCreated';
      keyId: string;
      accountId: AccountId;
      region: Region;
      keyManager: KeyManager;
      keySpec: KeySpec;
      keyUsage: KeyUsage;
      origin: KeyOrigin;
      description: string;
      tags: Tag[];
      /** Null: to be imported. */
      materialId: string | null;
      /** Absent: false, as in the first release. */
      multiRegion?: boolean;
      /** SubjectPublicKeyInfo in base64, of a pair whose material was made here. */
      publicKey?: string | null;
      /** Absent or null: the default policy. */
      policy?: string | null;
      /** Absent: the policy names none, or is of before they were looked up. */
      principalIds?: PrincipalIds;
      at: Instant;
    }
  | ({ type: 'KeyDescriptionUpdated'; description: string } & InRegion)
  | ({ type: 'KeyEnabled' } & InRegion)
  | ({ type: 'KeyDisabled' } & InRegion)
  | ({ type: 'KeyDeletionScheduled'; deletionDate: Instant; pendingWindowInDays: number } & InRegion)
  /** A primary key goes only when its last replica has gone; the waiting period begins then. */
  | ({ type: 'KeyDeletionAwaitsReplicas'; pendingWindowInDays: number } & InRegion)
  | ({ type: 'KeyDeletionCancelled' } & InRegion)
  /** Nothing remains of it but this history: its wrapped material is removed from every table. */
  | ({ type: 'KeyDeleted' } & InRegion)
  | ({ type: 'KeyTagged'; tags: Tag[] } & InRegion)
  | ({ type: 'KeyUntagged'; tagKeys: string[] } & InRegion)
  | {
      type: 'KeyPolicyPut';
      keyId: string;
      region: Region;
      policy: string;
      principalIds?: PrincipalIds;
      at: Instant;
    }
  | {
      type: 'KeyRotationEnabled';
      keyId: string;
      rotationPeriodInDays: number;
      nextRotationDate: Instant;
      at: Instant;
    }
  | { type: 'KeyRotationDisabled'; keyId: string; at: Instant }
  | {
      type: 'KeyRotated';
      keyId: string;
      /** The key's material from now on; what is under earlier ones stays readable. */
      materialId: string;
      rotationType: RotationType;
      /** Null: rotation by period is off. */
      nextRotationDate: Instant | null;
      at: Instant;
    }
  | {
      type: 'KeyMaterialImported';
      keyId: string;
      region: Region;
      materialId: string;
      importType: ImportType;
      expirationModel: ExpirationModel;
      validTo: Instant | null;
      description: string | null;
      /** SubjectPublicKeyInfo in base64, of a pair. */
      publicKey: string | null;
      at: Instant;
    }
  /** The wrapped bytes are removed; the same material can be imported again. */
  | {
      type: 'KeyMaterialDeleted';
      keyId: string;
      region: Region;
      materialId: string;
      reason: 'REQUESTED' | 'EXPIRED';
      at: Instant;
    }
  | {
      type: 'KeyReplicated';
      keyId: string;
      /** The replica's. */
      region: Region;
      description: string;
      tags: Tag[];
      /** Null: the default policy. */
      policy: string | null;
      principalIds?: PrincipalIds;
      at: Instant;
    }
  | { type: 'PrimaryRegionUpdated'; keyId: string; primaryRegion: Region; at: Instant };
