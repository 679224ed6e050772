/** What services tell each other of volumes, snapshots, instances and their keys. */
import type { AccountId, Instant, InstanceId, Region, SnapshotId, VolumeId } from './ids.ts';
import type { Principal } from './request-context.ts';

/** A data key wrapped by a KMS key, and what is needed to have it unwrapped. */
export interface WrappedDataKey {
  keyArn: string;
  /** Base64 of KMS's ciphertext blob for 64 bytes: two AES-256-XTS key halves. */
  encryptedDataKey: string;
  /** `{ 'aws:ebs:id': <volume or snapshot id> }`. */
  encryptionContext: Record<string, string>;
  /** Opaque; equal for volumes and snapshots that share one plaintext data key (DescribeSnapshots' DataEncryptionKeyId). */
  dataKeyId: string;
}

/** A wrapped data key and the principal under whose grant it is unwrapped. */
export interface DataKeyUse extends WrappedDataKey {
  principal: Principal;
  accountId: AccountId;
  region: Region;
  /** Id of the request this serves, for the log. */
  requestId: string;
}

/** Drawn from `seed` request by request; probabilities from 0 to 1. */
export interface DeviceFaults {
  seed: number;
  readErrors?: number;
  writeErrors?: number;
  flushErrors?: number;
  tornWrites?: number;
  delays?: number;
  delayMs?: number;
  storeUnavailable?: boolean;
  loseUnsyncedWrites?: boolean;
}

/** A block's index, and which of the two snapshots that are compared have it. */
export type ListedBlock = readonly [blockIndex: number, isIn: 'first' | 'second' | 'both'];

/**
 * Leave for a gateway to carry one caller's blocks of one snapshot of EBS direct between the caller and the host that keeps
 * them, signing a ticket for each (libs/sealing). What was asked about the caller, the snapshot and its key holds that long.
 */
export interface BlockTransfer {
  /** `unix:<path of a socket>` or `tcp://<host>:<port>`. */
  endpoint: string;
  sessionId: string;
  /** Of the tickets; info = the session's id. */
  sealedTicketKey: string;
  /** Of the tokens that the caller shows for each block; info = the session's id. To get only. */
  sealedTokenKey?: string;
  volumeSizeGiB: number;
  lifeMs: number;
}

/** Blocks to read: a completed snapshot's, and the data key they are under (absent: plaintext). */
export interface BlockSource {
  snapshotId: SnapshotId;
  dataKey?: DataKeyUse;
}

export interface VolumeRecord {
  volumeId: VolumeId;
  accountId: AccountId;
  region: Region;
  state: 'creating' | 'available' | 'in-use' | 'deleting' | 'error';
  sizeGiB: number;
  /** `gp2`, `io1`, … */
  volumeType: string;
  dataKey: WrappedDataKey | null;
}

export interface SnapshotRecord {
  snapshotId: SnapshotId;
  ownerId: AccountId;
  state: 'pending' | 'completed' | 'error';
  volumeSizeGiB: number;
  dataKey: WrappedDataKey | null;
  /** Nothing was ever written to it, and no host has blocks of it: what is made from it is made of zeroes. */
  empty?: boolean;
  /** In the archive tier, or on its way there or back: nothing can be made of it. */
  archived?: boolean;
}

export interface AttachmentRecord {
  volumeId: VolumeId;
  instanceId: InstanceId;
  device: string;
  state: 'attaching' | 'attached' | 'detaching';
  attachTime: Instant;
  deleteOnTermination: boolean;
}

export interface HostAttachment {
  volumeId: VolumeId;
  instanceId: InstanceId;
  /** As the caller named it, e.g. `/dev/sdf`. */
  device: string;
  dataKey?: DataKeyUse;
  /** May be served to other instances at the same time. */
  multiAttach?: boolean;
  /** What it is held to; absent: it is not limited. */
  performance?: VolumePerformanceRecord;
}

/** From which a volume's IOPS and throughput follow. */
export interface VolumePerformanceRecord {
  volumeType: 'gp2' | 'gp3' | 'io1' | 'io2' | 'st1' | 'sc1' | 'standard';
  sizeGiB: number;
  /** Null where the type has no such number. */
  iops: number | null;
  throughputMiBps: number | null;
}

export interface InstanceRecord {
  instanceId: InstanceId;
  accountId: AccountId;
  region: Region;
  state: 'pending' | 'running' | 'shutting-down' | 'terminated' | 'stopping' | 'stopped';
  availabilityZone: string;
  instanceType: string;
  hypervisor: 'nitro' | 'xen';
  /** Volumes that the type can have attached, its root volume included. */
  maximumEbsAttachments: number;
  /** Whether the type can use encrypted volumes. */
  ebsEncryptionSupported: boolean;
  /** The data-plane host that serves its devices. */
  hostId: string;
}
