import type { AccountId, ImageId, Instant, InstanceId, Region, SnapshotId, VolumeId } from '@holdfast/contracts';

/** One volume that an instance launched from the image has. */
export interface ImageDevice {
  deviceName: string;
  deleteOnTermination: boolean;
  /** Absent: the volume is empty. */
  snapshotId?: SnapshotId;
  sizeGiB?: number;
  volumeType?: string;
  iops?: number;
  throughputMiBps?: number;
  /** Of an empty volume: it is to be encrypted. Of a snapshot: it is. */
  encrypted?: boolean;
  /** The key of an encrypted snapshot. */
  keyArn?: string;
}

/** What the image says of itself; nothing here depends on it, and copies keep it. */
export interface ImageTraits {
  architecture: string;
  virtualizationType: string;
  bootMode?: string;
  tpmSupport?: string;
  imdsSupport?: string;
  sriovNetSupport?: string;
  enaSupport?: boolean;
}

interface ImageBasics extends ImageTraits {
  imageId: ImageId;
  ownerId: AccountId;
  region: Region;
  name: string;
  description: string;
  rootDeviceName: string;
  devices: readonly ImageDevice[];
  tags: Readonly<Record<string, string>>;
  at: Instant;
}

/** Made of snapshots that are there: available at once. */
export interface ImageRegistered extends ImageBasics {
  type: 'ImageRegistered';
}

/** Made of an instance's volumes. The ids of the snapshots to be taken are in `devices`. */
export interface ImageCreationStarted extends ImageBasics {
  type: 'ImageCreationStarted';
  instanceId: InstanceId;
  snapshots: readonly { snapshotId: SnapshotId; volumeId: VolumeId }[];
  snapshotTags: Readonly<Record<string, string>>;
}

/** Made of another image. The ids of the snapshots to be copied to are in `devices`. */
export interface ImageCopyStarted extends ImageBasics {
  type: 'ImageCopyStarted';
  source: { imageId: ImageId; region: Region };
  /** `keyArn` null: the copy is not encrypted. */
  snapshots: readonly { snapshotId: SnapshotId; sourceSnapshotId: SnapshotId; keyArn: string | null }[];
  snapshotTags: Readonly<Record<string, string>>;
}

/** The public image of Amazon's own that each Region has. */
export interface AmazonImageProvided extends ImageBasics {
  type: 'AmazonImageProvided';
}

export type ImageStarted = ImageRegistered | ImageCreationStarted | ImageCopyStarted | AmazonImageProvided;

/** Accounts that gained, or lost, the permission to launch instances; `public`: so did everybody. */
export interface LaunchPermissionChange<Type extends string> {
  type: Type;
  imageId: ImageId;
  accounts: readonly AccountId[];
  public: boolean;
  at: Instant;
}

/** The facts of one image's life; stream `image-<imageId>`. */
export type ImageEvent =
  | ImageStarted
  | { type: 'ImageCompleted'; imageId: ImageId; at: Instant }
  /** One of its snapshots could not be made; `message` is what DescribeImages tells, `cause` what happened. */
  | { type: 'ImageFailed'; imageId: ImageId; message: string; cause: string; at: Instant }
  /** From then on only its owner, and who knows its id or asks for such, sees it. */
  | { type: 'ImageDeprecationSet'; imageId: ImageId; deprecateAt: Instant; at: Instant }
  | { type: 'ImageDeprecationCancelled'; imageId: ImageId; at: Instant }
  /** Nobody launches from it, and whoever it was shared with has lost it. */
  | { type: 'ImageDisabled'; imageId: ImageId; at: Instant }
  | { type: 'ImageEnabled'; imageId: ImageId; at: Instant }
  /** It is not deregistered; with a cooldown not for a day after that has ended either. */
  | { type: 'ImageProtected'; imageId: ImageId; withCooldown: boolean; at: Instant }
  | { type: 'ImageUnprotected'; imageId: ImageId; protectedUntil: Instant | null; at: Instant }
  /** Deregistered, and kept by a retention rule of the Recycle Bin. */
  | { type: 'ImageRecycled'; imageId: ImageId; exitsAt: Instant; at: Instant }
  | { type: 'ImageRestoredFromBin'; imageId: ImageId; at: Instant }
  | { type: 'ImageDeregistered'; imageId: ImageId; at: Instant }
  | { type: 'ImageDescriptionChanged'; imageId: ImageId; description: string; at: Instant }
  | LaunchPermissionChange<'ImageShared'>
  | LaunchPermissionChange<'ImageUnshared'>
  /** Tags are the account's own: of an image shared with it, nobody else sees them. */
  | {
      type: 'ImageTagged';
      imageId: ImageId;
      accountId: AccountId;
      tags: Readonly<Record<string, string>>;
      at: Instant;
    }
  | { type: 'ImageUntagged'; imageId: ImageId; accountId: AccountId; keys: readonly string[]; at: Instant };
