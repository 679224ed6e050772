import type {
  AccountId,
  Caller,
  Region,
  RequestContext,
  SnapshotId,
  SnapshotRecord,
  VolumeId,
  WrappedDataKey,
} from '@holdfast/contracts';
import type { Filter, Tags } from '@holdfast/ec2';
import type { SnapshotCommand } from '../domain/snapshot.commands.ts';
import type { SnapshotState } from '../domain/snapshot.decider.ts';
import type { SnapshotEvent } from '../domain/snapshot.events.ts';

/** On whose request, and because of which event, something is done. */
export interface Cause {
  readonly caller: Caller;
  readonly causationId?: string;
}

/** Streams of snapshots. */
export interface SnapshotStreams {
  /** @throws DomainError SnapshotErrorCode */
  handle(command: SnapshotCommand, cause: Cause): Promise<void>;
  /** As `handle`. @returns what was appended; nothing when the command repeated a fact. */
  decide(command: SnapshotCommand, cause: Cause): Promise<readonly SnapshotEvent[]>;
  /** All of them begin, or none. */
  startAll(commands: readonly Extract<SnapshotCommand, { type: 'CreateSnapshot' }>[], cause: Cause): Promise<void>;
  load(snapshotId: SnapshotId): Promise<SnapshotState>;
}

/** A snapshot as DescribeSnapshots shows it. */
export interface SnapshotDetails {
  readonly snapshotId: SnapshotId;
  readonly ownerId: string;
  /** `vol-ffffffff` for a copy. */
  readonly volumeId: string;
  readonly isCopy: boolean;
  readonly state: 'pending' | 'completed' | 'error';
  readonly stateMessage: string | null;
  readonly volumeSizeGiB: number;
  readonly description: string;
  readonly encrypted: boolean;
  readonly keyArn: string | null;
  readonly dataKeyId: string | null;
  /** ISO-8601. */
  readonly startTime: string;
  readonly completionTime: string | null;
  /** In percent. */
  readonly progress: number;
  readonly tags: Tags;
  readonly storageTier: 'standard' | 'archive';
  /** ISO-8601; of one that is restored from the archive for a time. */
  readonly restoreExpiryTime: string | null;
}

/** Whose volumes it may become: the viewer's own (`self`), everybody's (`all`), or an account's that owner let. */
export type RestorableBy = 'self' | 'all' | AccountId;

export interface SnapshotQuery {
  /** Of these accounts only; absent: of anybody. */
  readonly ownerIds?: readonly AccountId[];
  /** Absent: by anybody. */
  readonly restorableBy?: readonly RestorableBy[];
  readonly filters?: readonly Filter[];
  /** Explicit ids; empty: all snapshots. */
  readonly snapshotIds: readonly string[];
  /** Only snapshots after this position, which `describe` gave. */
  readonly after?: string;
  readonly limit: number;
}

/**
 * Who looks, and where. They see their own snapshots, those shared with them, and public ones, unless the owner is one of
 * `hiding`, whose snapshots nobody may see for being public.
 */
export interface Viewer {
  readonly accountId: AccountId;
  readonly region: Region;
  readonly hiding: readonly AccountId[];
}

/** The read model behind DescribeSnapshots; every question is asked within one Region. */
export interface SnapshotTable {
  /**
   * In order of their start, at most `limit` of those that match.
   * @returns with `missing`: the explicit ids that name no snapshot the caller may see.
   * @throws AwsError InvalidParameterValue | FilterLimitExceeded
   */
  describe(
    query: SnapshotQuery,
    viewer: Viewer,
  ): Promise<{ rows: { snapshot: SnapshotDetails; position: string }[]; missing: string[] }>;
  tags(
    filters: readonly Filter[] | undefined,
    viewer: Viewer,
  ): Promise<{ snapshotId: string; key: string; value: string }[]>;
  /** Null when the viewer sees no such snapshot. */
  record(snapshotId: SnapshotId, viewer: Viewer): Promise<SnapshotRecord | null>;
  /** Accounts other than the caller's that have public snapshots in the Region. */
  publicOwners(context: RequestContext): Promise<AccountId[]>;
  /** Snapshots of a volume: how many are pending, and when the latest one was started (ISO-8601). */
  ofVolume(volumeId: VolumeId, context: RequestContext): Promise<{ pending: number; latest: string | null }>;
  /** Whether a copy, whatever its account, is being made from it. */
  isBeingCopied(snapshotId: SnapshotId): Promise<boolean>;
  /** The caller's snapshots in the caller's Region, but no more than `limit`. */
  count(context: RequestContext, limit: number): Promise<number>;
  /** The latest copy there, complete and of use, of any snapshot of a volume. */
  latestCopy(
    volumeId: VolumeId,
    ownerId: AccountId,
    region: Region,
  ): Promise<{ snapshotId: SnapshotId; dataKey: WrappedDataKey | null } | null>;
  /** The caller's copies that are under way in the caller's Region. */
  pendingCopies(context: RequestContext): Promise<number>;
}
