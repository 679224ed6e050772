/**
 * Requests between services that no AWS API has. Subject: `<service>.request.<Action>.v1`. (AWS's own operations use the
 * same subjects with AWS's own shapes, generated in `@holdfast/aws-protocol`.)
 */
import type { AccountId, ImageId, InstanceId, Region, SnapshotId, VolumeId } from './ids.ts';
import type { IdentityRequests } from './identity-requests.ts';
import type {
  AttachmentRecord,
  BlockSource,
  DataKeyUse,
  DeviceFaults,
  HostAttachment,
  InstanceRecord,
  ListedBlock,
  SnapshotRecord,
  VolumePerformanceRecord,
  VolumeRecord,
  WrappedDataKey,
} from './records.ts';

export interface InternalRequests {
  'account-settings': {
    /** `defaultKmsKeyId` null: never changed, so `alias/aws/ebs`. */
    GetEncryptionDefaults: {
      in: Record<string, never>;
      out: { encryptionByDefault: boolean; defaultKmsKeyId: string | null };
    };
    /** Which of the accounts hide, in this Region, what they share publicly: they block all sharing. */
    ListHiddenPublicSnapshots: { in: { accounts: AccountId[] }; out: { hiding: AccountId[] } };
  };
  identity: IdentityRequests;
  kms: {
    /** HPKE public key to which an Encrypt caller seals its plaintext, one for all replicas. */
    GetTransportKey: { in: Record<string, never>; out: { publicKey: string } };
    /** Who manages a key, by its ARN and whatever its account; null: there is no such key. It is no use of the key. */
    GetKeyManager: { in: { keyArn: string }; out: { keyManager: 'AWS' | 'CUSTOMER' } | null };
  };
  volumes: {
    /**
     * What is wrong with a call that EC2 finds before it looks at whether the caller may make it: refused as the call itself
     * is, else answered. Nothing is done.
     */
    CheckCall: {
      in: { action: 'CreateVolume' | 'DeleteVolume'; input: Record<string, unknown> };
      out: Record<string, never>;
    };
    GetVolume: { in: { volumeId: VolumeId }; out: VolumeRecord | null };
    /** Attachments of the caller's account, all instances when `instanceIds` is absent. */
    ListAttachments: { in: { instanceIds?: InstanceId[] }; out: { attachments: AttachmentRecord[] } };
    /**
     * What a CreateVolume of the same members would make; its refusals, and no volume. With `throughImage` a snapshot of that
     * image may be used whose owner lets the caller launch from the image.
     */
    PlanVolume: {
      in: { input: Record<string, unknown>; throughImage?: ImageId };
      out: { sizeGiB: number; snapshotSizeGiB: number | null; volumeType: string; encrypted: boolean };
    };
    /** CreateVolume for an instance that is launched from the image. `input` as CreateVolume takes it, with a client token. */
    CreateLaunchVolume: { in: { input: Record<string, unknown>; throughImage: ImageId }; out: { volumeId: VolumeId } };
    /** The volume is of a launch that failed: no rule of the Recycle Bin keeps it when it is deleted. Idempotent. */
    WaiveRetention: { in: { volumeId: VolumeId }; out: Record<string, never> };
    /** How far the creation of a volume has got; `cause` is why a volume that is gone never came to be. */
    GetCreation: { in: { volumeId: VolumeId }; out: { state: 'creating' | 'ready' | 'gone'; cause: string | null } };
    /**
     * Attaches a volume to an instance that is starting for the first time, its root device included, and answers when that
     * has ended. Idempotent. `failure`: why the device could not be opened; the volume is available then.
     */
    AttachAtLaunch: {
      in: {
        volumeId: VolumeId;
        instanceId: InstanceId;
        hostId: string;
        device: string;
        deleteOnTermination: boolean;
        isRoot: boolean;
      };
      out: { failure: string | null };
    };
    /** Closes the devices of an instance that stops, and takes their keys' grants back; its volumes stay attached. Idempotent. */
    SuspendAttachments: { in: { instanceId: InstanceId }; out: Record<string, never> };
    /** Opens them again under fresh grants. Idempotent. `failure`: why one could not be opened; some may be open then. */
    ResumeAttachments: { in: { instanceId: InstanceId }; out: { failure: string | null } };
    /** What becomes of the volumes at these devices when the instance ends. Refused when one of the devices has none. */
    SetDeleteOnTermination: {
      in: { instanceId: InstanceId; devices: { device: string; deleteOnTermination: boolean }[] };
      out: Record<string, never>;
    };
    /** Whether a volume, whatever its account, is being made from a snapshot's blocks. */
    IsSnapshotInUse: { in: { snapshotId: SnapshotId }; out: { inUse: boolean } };
    /** What a host must serve: asked by the data plane when it starts, whatever the account. */
    ListHostAttachments: { in: { hostId: string }; out: { attachments: HostAttachment[] } };
  };
  snapshots: {
    /** As `volumes.CheckCall`. */
    CheckCall: {
      in: { action: 'CopySnapshot' | 'ModifySnapshotAttribute'; input: Record<string, unknown> };
      out: Record<string, never>;
    };
    /**
     * Null when absent or not visible to the caller. With `throughImage` it is visible, too, when its owner also owns that image
     * and lets the caller launch from it.
     */
    GetSnapshot: { in: { snapshotId: SnapshotId; throughImage?: ImageId }; out: SnapshotRecord | null };
    /**
     * Whether a volume that the caller makes of it in this zone is to be initialized from the start, by fast snapshot restore.
     * It takes one of the volume creation credits.
     */
    UseFastRestore: { in: { snapshotId: SnapshotId; availabilityZone: string }; out: { fastRestored: boolean } };
    /** What policies may be written about a retention rule of the caller's; null: there is none. */
    GetRuleFacts: { in: { ruleId: string }; out: { resourceType: string; tags: Record<string, string> } | null };
    /** How long the Recycle Bin keeps such a resource of the caller's that is deleted now; null: no rule keeps it. */
    GetRetention: {
      in: { resourceType: 'EBS_SNAPSHOT' | 'EC2_IMAGE' | 'EBS_VOLUME'; tags: Record<string, string> };
      out: { days: number | null };
    };
    /**
     * Snapshots of several volumes at one moment, under ids that the caller of this chose: all or none of them. Idempotent.
     * Refused as CreateSnapshots is.
     */
    CreateImageSnapshots: {
      in: {
        snapshots: { snapshotId: SnapshotId; volumeId: VolumeId }[];
        description: string;
        tags: Record<string, string>;
      };
      out: Record<string, never>;
    };
    /**
     * CopySnapshot under an id that the caller of this chose, and under this key (null: under none). Idempotent. Refused as
     * CopySnapshot is.
     */
    CopyImageSnapshot: {
      in: {
        snapshotId: SnapshotId;
        sourceSnapshotId: SnapshotId;
        sourceRegion: Region;
        keyArn: string | null;
        description: string;
        tags: Record<string, string>;
      };
      out: Record<string, never>;
    };
  };
  instances: {
    GetInstance: { in: { instanceId: InstanceId }; out: InstanceRecord | null };
    /**
     * Images, of any account, that are made of the snapshot: while there are some it can't be deleted. While there are some that
     * are not disabled it can't be archived either.
     */
    ListImagesOfSnapshot: { in: { snapshotId: SnapshotId; exceptDisabled?: boolean }; out: { imageIds: ImageId[] } };
    /**
     * The owner of an image that has the snapshot and from which the caller may launch; null: there is no such image. What the
     * owner doesn't own of it is not theirs to give.
     */
    GetLaunchableImageOwner: {
      in: { imageId: ImageId; snapshotId: SnapshotId };
      out: { ownerId: AccountId } | null;
    };
  };
  'data-plane': {
    /**
     * Makes the volume's files, filled from `source` when given. Idempotent. With `dataKey` the data key is unwrapped once
     * through KMS, which proves that it can be; with a source under another key (or none) blocks are encrypted again.
     * A source with the same `dataKeyId` needs no unwrapping, and there may be no grant for it: its ciphertext is used as it
     * is. `InProgress` (AwsError code): still at it, ask again.
     * Errors: KmsKeyUnusable (message = KMS's), SnapshotNotFound.
     */
    AllocateVolume: {
      in: {
        volumeId: VolumeId;
        sizeGiB: number;
        dataKey?: DataKeyUse;
        source?: BlockSource;
        /** Answers only when every block of the source is in the volume: nothing is left to be fetched on first access. */
        initialized?: boolean;
        /** How fast the source's blocks are fetched; absent: as fast as the guest lets them. */
        initializationRateMiBps?: number;
      };
      out: { hostId: string };
    };
    /**
     * Whether GrowVolume of this volume to this size would be carried out, its device being open or not: asked before a caller
     * is promised anything. Errors: VolumeNotFound, InsufficientVolumeCapacity.
     */
    CheckGrowth: { in: { volumeId: VolumeId; sizeGiB: number }; out: Record<string, never> };
    /**
     * Makes a volume larger; what is new reads as zeroes. An open export offers its guest the new size. Idempotent: a volume
     * that is as large stays as it is. Errors: VolumeNotFound, InsufficientVolumeCapacity.
     */
    GrowVolume: { in: { volumeId: VolumeId; sizeGiB: number }; out: Record<string, never> };
    /** What an open volume is held to from now on. Idempotent; nothing to do for a volume that is not open. */
    SetPerformance: {
      in: { volumeId: VolumeId; performance: VolumePerformanceRecord };
      out: Record<string, never>;
    };
    /**
     * Development mode only: what goes wrong on a volume's device from now on, null: nothing; kept until the data plane stops.
     * `losePower`: takes back some of what was written since the last flush, and kills the block host. Errors: VolumeNotFound.
     */
    SetFaults: {
      in: { volumeId: VolumeId; faults: DeviceFaults | null; losePower?: boolean };
      out: Record<string, never>;
    };
    /** Idempotent. Refused (VolumeBusy) while an export is open. */
    RemoveVolume: { in: { volumeId: VolumeId }; out: Record<string, never> };
    /** How much of volumes made from snapshots is there, in percent: 100 for all whose blocks all are. */
    GetInitialization: {
      in: { volumeIds: VolumeId[] };
      out: { initializations: { volumeId: VolumeId; progress: number; secondsLeft: number | null }[] };
    };
    /** Opens the instance's NBD export. Idempotent. Errors: KmsKeyUnusable, VolumeNotFound, VolumeBusy. */
    OpenExport: { in: HostAttachment; out: { socketPath: string } };
    /** Flushes, closes, zeroes the key. Idempotent. */
    CloseExport: { in: { volumeId: VolumeId; instanceId: InstanceId }; out: Record<string, never> };
    /** Fixes the point in time of a snapshot (milliseconds; durable when it answers) and starts copying. Idempotent. */
    FreezeSnapshot: { in: { snapshotId: SnapshotId; volumeId: VolumeId }; out: Record<string, never> };
    /**
     * As FreezeSnapshot for several volumes at one moment: all of them stand still before the first is frozen. All or none;
     * `SetIncomplete` (AwsError code) when some were frozen and the rest can't be at that moment any more.
     */
    FreezeSnapshots: {
      in: { snapshots: { snapshotId: SnapshotId; volumeId: VolumeId }[] };
      out: Record<string, never>;
    };
    /** Begins to write a snapshot into an archive of its own. Idempotent. Errors: SnapshotNotFound. */
    ArchiveSnapshot: { in: { snapshotId: SnapshotId }; out: Record<string, never> };
    /** Begins to put an archive's blocks back into the store. Idempotent. Errors: SnapshotNotFound. */
    RestoreArchive: { in: { snapshotId: SnapshotId }; out: Record<string, never> };
    /** Where a snapshot's blocks are, whole and durable; `failure`: why they can't be moved. `progress` in percent. */
    GetArchiveProgress: {
      in: { snapshotId: SnapshotId };
      out: { blocks: boolean; archive: boolean; progress: number; failure?: string };
    };
    /** Drops the other one of the two. Idempotent. Errors: SnapshotNotFound (there is nothing to keep), InProgress. */
    ReleaseArchive: { in: { snapshotId: SnapshotId; keep: 'archive' | 'blocks' }; out: Record<string, never> };
    /**
     * Starts a copy of a snapshot's blocks, re-encrypted where data keys differ. Idempotent. `previousCopy` is under the same
     * data key and of an earlier snapshot of the source's lineage: what has not changed since is taken over from it. With
     * `ownContext` the copy does not keep `dataKey` as it is wrapped: whoever unwraps it, as its principal, wraps it again in this
     * encryption context (see GetSnapshotDataKey).
     */
    StartSnapshotCopy: {
      in: {
        snapshotId: SnapshotId;
        source: BlockSource;
        dataKey?: DataKeyUse;
        previousCopy?: SnapshotId;
        ownContext?: Record<string, string>;
      };
      out: Record<string, never>;
    };
    /** The data key of a complete snapshot's blocks, as it was wrapped for it. Errors: SnapshotNotFound */
    GetSnapshotDataKey: { in: { snapshotId: SnapshotId }; out: { dataKey: WrappedDataKey | null } };
    /** `progress` in percent. */
    GetSnapshotProgress: {
      in: { snapshotId: SnapshotId };
      out: { state: 'unknown' | 'copying' | 'completed' | 'failed'; progress: number; reason?: string };
    };
    /**
     * EBS direct: makes a snapshot that blocks can be put into. Idempotent. With `dataKey` the data key is unwrapped once, and
     * must be the parent's where there is one. Errors: KmsKeyUnusable (`kmsCode`), SnapshotNotFound, EncryptionMismatch.
     */
    StartBlockUpload: {
      in: {
        snapshotId: SnapshotId;
        sizeGiB: number;
        parentSnapshotId?: SnapshotId;
        dataKey?: DataKeyUse;
        /** How long it waits for the next block. */
        timeoutMinutes: number;
      };
      /** What was begun under that id before, by a request that nobody heard the answer of; absent: nothing was. */
      out: { begun?: { sizeGiB: number; parentSnapshotId: SnapshotId | null; dataKey: WrappedDataKey | null } };
    };
    /**
     * EBS direct: no more blocks; what was put is checked and becomes the snapshot. Its end shows in the progress. Idempotent.
     * `checksum`: base64 of SHA-256 over the digests of the blocks put, in order of their index.
     */
    CompleteBlockUpload: {
      in: { snapshotId: SnapshotId; changedBlocksCount: number; checksum?: string };
      out: Record<string, never>;
    };
    /**
     * EBS direct: which blocks a completed snapshot has, or (with `firstSnapshotId`) in which it differs from that one. Indexes
     * ascend; `next` is where to go on. Errors: SnapshotNotFound.
     */
    ListBlocks: {
      in: { snapshotId: SnapshotId; firstSnapshotId?: SnapshotId; startingBlockIndex: number; limit: number };
      out: { sizeGiB: number; blocks: ListedBlock[]; next: number | null };
    };
    /**
     * EBS direct: has a block host unwrap the data key and take blocks of one snapshot for one account, from whoever shows a
     * ticket under the key that it answers with, sealed to `context.recipientPublicKey` (info: the session's id).
     * Errors: KmsKeyUnusable (`kmsCode`), SnapshotNotFound, UploadClosed.
     */
    OpenBlockSession: {
      in: { snapshotId: SnapshotId; operation: 'get' | 'put'; accountId: AccountId; dataKey?: DataKeyUse };
      out: { sessionId: string; endpoint: string; sealedTicketKey: string };
    };
    /**
     * Serves a completed snapshot as a read-only NBD export on a unix socket of this host. It ends with CloseSnapshotExport,
     * with the snapshot, or when nobody asked to keep it for `leaseMs`. Errors: KmsKeyUnusable, SnapshotNotFound,
     * EncryptionMismatch, TooManyExports.
     */
    OpenSnapshotExport: {
      in: BlockSource;
      out: { exportId: string; socketPath: string; leaseMs: number };
    };
    /** `open` false: it has ended. */
    KeepSnapshotExport: { in: { exportId: string }; out: { open: boolean } };
    /** Idempotent. */
    CloseSnapshotExport: { in: { exportId: string }; out: Record<string, never> };
    /** Drops the block index; blocks no other index names are collected. Idempotent. */
    RemoveSnapshot: { in: { snapshotId: SnapshotId }; out: Record<string, never> };
  };
}
