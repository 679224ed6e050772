/**
 * What notifications are made of: of the events of `volumes` and `snapshots` those that end in an outcome, or say of what,
 * and of these the members that are read here. Those services own the whole shapes.
 */
export type EbsEvent =
  | {
      type: 'VolumeCreated';
      volumeId: string;
      accountId: string;
      region: string;
      encryption: { kmsKeyId: string } | null;
      at: string;
    }
  | { type: 'VolumeDataKeyObtained'; volumeId: string; dataKey: { keyArn: string }; at: string }
  | { type: 'VolumeProvisioned'; volumeId: string; at: string }
  | { type: 'VolumeInitialized'; volumeId: string; at: string }
  | { type: 'VolumeCreationFailed'; volumeId: string; cause: string; at: string }
  | { type: 'VolumeDeleted'; volumeId: string; at: string }
  | { type: 'AttachmentFailed'; volumeId: string; instanceId: string; cause: string; at: string }
  | { type: 'ReattachmentFailed'; volumeId: string; instanceId: string; cause: string; requestId: string; at: string }
  | { type: 'ModificationTookEffect'; volumeId: string; at: string }
  | { type: 'ModificationCompleted'; volumeId: string; at: string }
  | { type: 'ModificationFailed'; volumeId: string; cause: string; at: string }
  | {
      type: 'SnapshotStarted';
      snapshotId: string;
      ownerId: string;
      region: string;
      volumeId: string;
      set?: readonly { snapshotId: string; volumeId: string }[];
      at: string;
    }
  | {
      type: 'SnapshotCopyStarted';
      snapshotId: string;
      ownerId: string;
      region: string;
      source: { snapshotId: string; region: string; dataKey: object | null };
      keyArn: string | null;
      at: string;
    }
  | { type: 'SnapshotCompleted'; snapshotId: string; at: string }
  | { type: 'SnapshotFailed'; snapshotId: string; cause: string; at: string }
  | { type: 'SnapshotShared'; snapshotId: string; accounts: readonly string[]; at: string }
  | { type: 'PreviousCopyChosen'; snapshotId: string; previousCopy: string; at: string }
  | {
      type: 'FastRestoreEnabled';
      snapshotId: string;
      account: string;
      zone: string;
      optimizingAt?: string;
      enabledAt?: string;
      at: string;
    }
  | {
      type: 'FastRestoreDisabled';
      snapshotId: string;
      account: string;
      zone: string;
      reason?: 'disabled' | 'lost' | 'archived';
      disabledAt?: string;
      at: string;
    }
  | { type: 'SnapshotArchivalStarted'; snapshotId: string; at: string }
  | { type: 'SnapshotArchived'; snapshotId: string; at: string }
  | { type: 'SnapshotArchivalFailed'; snapshotId: string; cause: string; at: string }
  | { type: 'TierRestoreStarted'; snapshotId: string; at: string }
  | { type: 'TierRestoreCompleted'; snapshotId: string; expiresAt: string | null; at: string }
  | { type: 'TierRestoreFailed'; snapshotId: string; cause: string; at: string }
  | { type: 'TierRestoreExpired'; snapshotId: string; at: string }
  | { type: 'SnapshotDeleted'; snapshotId: string; at: string };

type Each = { readonly [Type in EbsEvent['type']]: 'volumes' | 'snapshots' };

/** Whose each one is. */
export const EBS_EVENTS: Each = {
  VolumeCreated: 'volumes',
  VolumeDataKeyObtained: 'volumes',
  VolumeProvisioned: 'volumes',
  VolumeInitialized: 'volumes',
  VolumeCreationFailed: 'volumes',
  VolumeDeleted: 'volumes',
  AttachmentFailed: 'volumes',
  ReattachmentFailed: 'volumes',
  ModificationTookEffect: 'volumes',
  ModificationCompleted: 'volumes',
  ModificationFailed: 'volumes',
  SnapshotStarted: 'snapshots',
  SnapshotCopyStarted: 'snapshots',
  SnapshotCompleted: 'snapshots',
  SnapshotFailed: 'snapshots',
  SnapshotShared: 'snapshots',
  PreviousCopyChosen: 'snapshots',
  FastRestoreEnabled: 'snapshots',
  FastRestoreDisabled: 'snapshots',
  SnapshotArchivalStarted: 'snapshots',
  SnapshotArchived: 'snapshots',
  SnapshotArchivalFailed: 'snapshots',
  TierRestoreStarted: 'snapshots',
  TierRestoreCompleted: 'snapshots',
  TierRestoreFailed: 'snapshots',
  TierRestoreExpired: 'snapshots',
  SnapshotDeleted: 'snapshots',
};
