import type {
  AccountId,
  AttachmentRecord,
  Caller,
  HostAttachment,
  Instant,
  InstanceId,
  Region,
  RequestContext,
  SnapshotId,
  VolumeId,
  VolumeRecord,
} from '@holdfast/contracts';
import type { ClientToken } from '@holdfast/event-store';
import type { Filter, Tags } from '@holdfast/ec2';
import type { VolumeCommand } from '../domain/volume.commands.ts';
import type { VolumeConfiguration } from '../domain/volume-type-limits.ts';
import type { AttachmentFailed } from '../domain/volume.events.ts';
import type { VolumeState } from '../domain/volume-state.ts';

/** On whose request, and because of which event, something is done. */
export interface Cause {
  readonly caller: Caller;
  readonly causationId?: string;
  /** The event came before, and its work may have been begun. */
  readonly retried?: boolean;
}

/** Streams of volumes. */
export interface VolumeStreams {
  /**
   * @returns version of the stream after the command's events; null when it added none.
   * @throws DomainError VolumeErrorCode | DeviceInUse; ClientTokenUsed
   */
  handle(command: VolumeCommand, cause: Cause, clientToken?: ClientToken): Promise<number | null>;
  load(volumeId: VolumeId): Promise<VolumeState>;
  findClientToken(scope: string, token: string): Promise<ClientToken | null>;
  /**
   * How the attachment ended that the stream's event `version` started; null when that is still open at `deadlineMs`
   * (epoch milliseconds).
   */
  attachmentOutcome(
    attachment: { volumeId: VolumeId; instanceId: InstanceId },
    version: number,
    deadlineMs: number,
  ): Promise<'attached' | AttachmentFailed['reason'] | null>;
}

/** A volume as DescribeVolumes shows it. */
export interface VolumeDetails {
  readonly volumeId: VolumeId;
  readonly accountId: string;
  readonly region: string;
  readonly state: 'creating' | 'available' | 'in-use' | 'deleting';
  readonly sizeGiB: number;
  readonly volumeType: string;
  readonly iops: number | null;
  readonly throughputMiBps: number | null;
  readonly multiAttachEnabled: boolean;
  /** Null: blocks are fetched from the snapshot as they come. */
  readonly initializationRateMiBps: number | null;
  readonly fastRestored: boolean;
  /** Empty when made from none. */
  readonly snapshotId: string;
  readonly availabilityZone: string;
  readonly availabilityZoneId: string;
  readonly encrypted: boolean;
  /** Null until KMS resolved what was asked for, and for a volume that is not encrypted. */
  readonly kmsKeyArn: string | null;
  /** ISO-8601, whole seconds. */
  readonly createTime: string;
  readonly tags: Tags;
  readonly attachments: readonly AttachmentRecord[];
}

export interface VolumeQuery {
  readonly filters?: readonly Filter[];
  /** Explicit ids; empty: all volumes. */
  readonly volumeIds: readonly string[];
  /** Only volumes after this position, which `describe` gave. */
  readonly after?: string;
  readonly limit: number;
  /** Filters of DescribeVolumeStatus, and only volumes that have a status. */
  readonly status?: boolean;
}

/** A volume's latest modification. */
export interface ModificationDetails {
  readonly volumeId: VolumeId;
  readonly state: 'modifying' | 'optimizing' | 'completed' | 'failed';
  readonly statusMessage: string | null;
  readonly original: VolumeConfiguration;
  readonly target: VolumeConfiguration;
  readonly startTime: Instant;
  readonly endTime: Instant | null;
  /** In percent. */
  readonly progress: number;
}

/** The read model behind DescribeVolumesModifications, asked within the caller's account and Region. */
export interface ModificationTable {
  /**
   * In order of their start, at most `limit` of those that match.
   * @returns with `missing`: the explicit ids of volumes that were never modified.
   * @throws AwsError InvalidParameterValue | FilterLimitExceeded
   */
  describe(
    query: VolumeQuery,
    context: RequestContext,
  ): Promise<{ rows: { modification: ModificationDetails; position: string }[]; missing: string[] }>;
}

/** A volume in the Recycle Bin. */
export interface RecycledVolume {
  readonly volumeId: VolumeId;
  /** Its place in the order of pages. */
  readonly position: string;
  readonly volumeType: string;
  readonly sizeGiB: number;
  readonly iops: number | null;
  readonly throughputMiBps: number | null;
  readonly snapshotId: string;
  readonly availabilityZone: string;
  readonly availabilityZoneId: string;
  readonly createTime: string;
  readonly recycledAt: Instant;
  readonly exitsAt: Instant;
}

export interface DueVolume {
  readonly volumeId: VolumeId;
  readonly accountId: AccountId;
  readonly region: Region;
}

/** Volumes in the Recycle Bin, also those whose time is over and that are not deleted yet. */
export interface RecycledVolumes {
  /** The caller's in the caller's Region, in order of creation. */
  list(
    query: { volumeIds: readonly string[]; after?: string; limit: number },
    context: RequestContext,
  ): Promise<RecycledVolume[]>;
  /** Those of any account whose time is over. */
  due(now: Instant, limit: number): Promise<DueVolume[]>;
}

/** The read model behind DescribeVolumes; every question is asked within the caller's account and Region. */
export interface VolumeTable {
  /**
   * In order of creation, at most `limit` of those that match.
   * @returns with `missing`: the explicit ids that name no volume of the caller.
   * @throws AwsError InvalidParameterValue | FilterLimitExceeded
   */
  describe(
    query: VolumeQuery,
    context: RequestContext,
  ): Promise<{ rows: { volume: VolumeDetails; position: string }[]; missing: string[] }>;
  tags(
    filters: readonly Filter[] | undefined,
    context: RequestContext,
  ): Promise<{ volumeId: string; key: string; value: string }[]>;
  record(volumeId: VolumeId, context: RequestContext): Promise<VolumeRecord | null>;
  /** The attachments of the caller's account, or of some of its instances. */
  attachments(instanceIds: readonly InstanceId[] | undefined, context: RequestContext): Promise<AttachmentRecord[]>;
  /** What a host serves, whatever the account. */
  hostAttachments(hostId: string): Promise<HostAttachment[]>;
  /** Whether a volume, whatever its account, is being made from it. */
  isSnapshotInUse(snapshotId: SnapshotId): Promise<boolean>;
  /** What the account has in its Region by type; volumes on their way in count, those on their way out don't. */
  usage(volumeType: string, context: RequestContext): Promise<{ storageGiB: number; iops: number }>;
  /** Volumes that an instance holds, whatever the account. */
  volumesOf(instanceId: InstanceId): Promise<VolumeId[]>;
}
