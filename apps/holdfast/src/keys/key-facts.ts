/** A key in its Region, and everything that the services know to depend on it. */
export interface KeyFacts {
  readonly key: KeyDescription;
  /** The same multi-Region key in other Regions, by Region. */
  readonly replicas: readonly Replica[];
  readonly aliases: readonly string[];
  readonly grants: readonly GrantFact[];
  readonly volumes: readonly VolumeFact[];
  readonly snapshots: readonly SnapshotFact[];
  /** Of other keys, but being made from snapshots under this one. */
  readonly underWay: readonly UnderWayFact[];
  readonly images: readonly ImageFact[];
  readonly defaults: readonly DefaultFact[];
  readonly otherUses: OtherUses;
}

export interface KeyDescription {
  readonly keyId: string;
  readonly arn: string;
  readonly accountId: string;
  readonly region: string;
  readonly keyManager: 'AWS' | 'CUSTOMER';
  readonly keySpec: string;
  readonly keyUsage: string;
  readonly origin: string;
  readonly state: string;
  readonly multiRegion: boolean;
  readonly primaryRegion: string;
  /** ISO-8601; null unless the key is scheduled for deletion. */
  readonly deletionDate: string | null;
}

export interface Replica {
  readonly region: string;
  readonly arn: string;
  readonly state: string;
  readonly isPrimary: boolean;
}

export interface GrantFact {
  readonly grantId: string;
  readonly granteePrincipal: string;
  readonly operations: readonly string[];
  /** Of the encryption context that it asks for; null: it is not EBS's. */
  readonly ebsId: string | null;
}

export interface VolumeFact {
  readonly volumeId: string;
  readonly accountId: string;
  readonly region: string;
  readonly state: string;
  readonly sizeGiB: number;
  /** More than one only of a volume with Multi-Attach. */
  readonly attachments: readonly AttachmentFact[];
}

export interface AttachmentFact {
  readonly instanceId: string;
  readonly device: string;
  readonly state: string;
  /** To an instance that is stopped: the device is closed. */
  readonly suspended: boolean;
}

export interface SnapshotFact {
  readonly snapshotId: string;
  readonly ownerId: string;
  readonly region: string;
  readonly state: string;
  readonly isCopy: boolean;
  readonly volumeId: string;
  readonly sizeGiB: number;
  readonly sharedWith: readonly string[];
  readonly isPublic: boolean;
}

export interface UnderWayFact {
  readonly kind: 'volume' | 'snapshot';
  readonly id: string;
  readonly accountId: string;
  readonly fromSnapshotId: string;
}

export interface ImageFact {
  readonly imageId: string;
  readonly name: string;
  readonly ownerId: string;
  readonly region: string;
  /** Those under the key. */
  readonly snapshotIds: readonly string[];
}

/** An account and Region whose EBS default key it is. */
export interface DefaultFact {
  readonly accountId: string;
  readonly region: string;
  readonly encryptionByDefault: boolean;
}

/** What was encrypted, signed, … under the key outside EBS. Nobody keeps a list of the ciphertexts. */
export interface OtherUses {
  readonly count: number;
  readonly principals: readonly string[];
  /** ISO-8601. */
  readonly lastAt: string | null;
}
