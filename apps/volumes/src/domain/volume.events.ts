import type { AccountId, Instant, InstanceId, Region, SnapshotId, VolumeId, WrappedDataKey } from '@holdfast/contracts';
import type { VolumeConfiguration, VolumeType } from './volume-type-limits.ts';

/** The key a volume was to be encrypted with, in the words it was asked for, and who chose it. */
export interface ChosenKey {
  kmsKeyId: string;
  chosenBy: 'request' | 'source' | 'default';
}

/** The snapshot as it was when the volume was asked for: what becomes of it or its sharing later changes nothing. */
export interface VolumeSource {
  snapshotId: SnapshotId;
  owned: boolean;
  dataKey: WrappedDataKey | null;
  /** It has no blocks to read. */
  empty?: boolean;
}

export interface VolumeCreated {
  type: 'VolumeCreated';
  volumeId: VolumeId;
  accountId: AccountId;
  region: Region;
  availabilityZone: string;
  availabilityZoneId: string;
  volumeType: VolumeType;
  sizeGiB: number;
  iops: number | null;
  throughputMiBps: number | null;
  multiAttachEnabled?: boolean;
  /** At how many MiB/s its blocks are fetched from the snapshot; absent: as they come. */
  initializationRateMiBps?: number;
  /** By fast snapshot restore: all of its blocks are there before it is available. */
  fastRestored?: boolean;
  source: VolumeSource | null;
  encryption: ChosenKey | null;
  /** Made for an instance's launch: EBS keeps its grant as long as the volume lives. */
  keepsGrant?: boolean;
  tags: Readonly<Record<string, string>>;
  at: Instant;
}

/**
 * `dataKey` is the volume's own. `sourceDataKey` is the snapshot's, wrapped anew by the volume's KMS key: what its blocks are
 * read with. Null when there is none to read, or when the volume goes on with the snapshot's data key.
 */
export interface VolumeDataKeyObtained {
  type: 'VolumeDataKeyObtained';
  volumeId: VolumeId;
  dataKey: WrappedDataKey;
  sourceDataKey: WrappedDataKey | null;
  at: Instant;
}

export interface AttachmentStarted {
  type: 'AttachmentStarted';
  volumeId: VolumeId;
  instanceId: InstanceId;
  /** The data-plane host that serves the instance's devices. */
  hostId: string;
  device: string;
  deleteOnTermination: boolean;
  /** The instance runs from it: it is detached only while the instance is stopped. */
  isRoot?: boolean;
  at: Instant;
}

export interface AttachmentFailed {
  type: 'AttachmentFailed';
  volumeId: VolumeId;
  instanceId: InstanceId;
  reason: 'KeyUnusable' | 'InstanceNotRunning';
  /** What KMS or the data plane said. */
  cause: string;
  at: Instant;
}

/** The volume is to become `target`, in whatever it differs from `original`. */
export interface ModificationStarted {
  type: 'ModificationStarted';
  volumeId: VolumeId;
  original: VolumeConfiguration;
  target: VolumeConfiguration;
  at: Instant;
}

/** The facts of one volume's life; stream `volume-<volumeId>`. */
export type VolumeEvent =
  | VolumeCreated
  | VolumeDataKeyObtained
  /** EBS may unwrap the data key: until the volume's blocks are made, and again from its first attachment to its end. */
  | { type: 'VolumeGrantCreated'; volumeId: VolumeId; grantId: string; at: Instant }
  /** The attachment that it was made for failed, and there is no other. */
  | { type: 'VolumeGrantRetired'; volumeId: VolumeId; at: Instant }
  | { type: 'VolumeProvisioned'; volumeId: VolumeId; hostId: string; at: Instant }
  /** All blocks of the snapshot that it was made from are there. */
  | { type: 'VolumeInitialized'; volumeId: VolumeId; at: Instant }
  /** The volume is gone as if it had never been; `cause` is what KMS or the data plane said. */
  | { type: 'VolumeCreationFailed'; volumeId: VolumeId; cause: string; at: Instant }
  /** Deleted, and kept by a retention rule of the Recycle Bin: its files, its data key and EBS's grant stay. */
  | { type: 'VolumeRecycled'; volumeId: VolumeId; exitsAt: Instant; at: Instant }
  | { type: 'VolumeRestoredFromBin'; volumeId: VolumeId; at: Instant }
  /** It is of a launch that failed: no rule keeps it. */
  | { type: 'VolumeRetentionWaived'; volumeId: VolumeId; at: Instant }
  | { type: 'VolumeDeletionStarted'; volumeId: VolumeId; at: Instant }
  | { type: 'VolumeDeleted'; volumeId: VolumeId; at: Instant }
  | AttachmentStarted
  /** The instance's host may unwrap the data key until the volume is detached. */
  | { type: 'AttachmentGrantCreated'; volumeId: VolumeId; instanceId: InstanceId; grantId: string; at: Instant }
  /** `suspended`: to an instance that is stopped, whose devices are closed. */
  | { type: 'AttachmentCompleted'; volumeId: VolumeId; instanceId: InstanceId; suspended?: boolean; at: Instant }
  /** The instance has stopped: the device is closed and the key's grant is taken back; the volume stays attached. */
  | { type: 'AttachmentSuspended'; volumeId: VolumeId; instanceId: InstanceId; at: Instant }
  /** The instance has started again, and the device is open under a fresh grant. */
  | { type: 'AttachmentResumed'; volumeId: VolumeId; instanceId: InstanceId; at: Instant }
  /** The instance was to start, and the device could not be opened; `requestId` asked for it. The volume stays attached. */
  | {
      type: 'ReattachmentFailed';
      volumeId: VolumeId;
      instanceId: InstanceId;
      cause: string;
      requestId: string;
      at: Instant;
    }
  | {
      type: 'DeleteOnTerminationChanged';
      volumeId: VolumeId;
      instanceId: InstanceId;
      deleteOnTermination: boolean;
      at: Instant;
    }
  | AttachmentFailed
  | { type: 'DetachmentStarted'; volumeId: VolumeId; instanceId: InstanceId; deleteVolume: boolean; at: Instant }
  | { type: 'VolumeDetached'; volumeId: VolumeId; instanceId: InstanceId; at: Instant }
  | ModificationStarted
  /** The volume is what it was to become; what follows is only its optimization. */
  | { type: 'ModificationTookEffect'; volumeId: VolumeId; at: Instant }
  | { type: 'ModificationCompleted'; volumeId: VolumeId; at: Instant }
  /** The volume stays what it was; `cause` is what the data plane said. */
  | { type: 'ModificationFailed'; volumeId: VolumeId; cause: string; at: Instant }
  /** Whether I/O goes on by itself after data may have become inconsistent. */
  | { type: 'AutoEnableIoChanged'; volumeId: VolumeId; autoEnableIo: boolean; at: Instant }
  | { type: 'VolumeTagged'; volumeId: VolumeId; tags: Readonly<Record<string, string>>; at: Instant }
  | { type: 'VolumeUntagged'; volumeId: VolumeId; keys: readonly string[]; at: Instant };
