import type { AccountId, Instant, SnapshotId, VolumeId, WrappedDataKey } from '@holdfast/contracts';
import { assertNever, type Decider, DomainError } from '@holdfast/decider';
import { exceedsTagLimit, removedKeys, type Tags, withoutTags, withTags } from '@holdfast/ec2';
import {
  decideFastRestore,
  endFastRestores,
  type FastRestoreCommand,
  type FastRestores,
  withFastRestore,
} from './fast-restore.ts';
import type { SnapshotCommand } from './snapshot.commands.ts';
import { beginLock, decideLock, isLocked, type Lock, type LockCommand, withLock } from './snapshot-lock.ts';
import { decideTier, initialTier, isInStandardTier, type Tier, type TierCommand, withTier } from './snapshot-tier.ts';
import { decideSharing, initialSharing, type Sharing, withSharing } from './snapshot-sharing.ts';
import type {
  AmazonSnapshotProvided,
  CopyGrant,
  SnapshotCopyStarted,
  SnapshotEvent,
  SnapshotStarted,
} from './snapshot.events.ts';

/** What the next decision needs, and what work that was begun needs to be finished. */
export interface SnapshotState {
  readonly status: 'absent' | 'pending' | 'completed' | 'error' | 'recycled' | 'deleting' | 'gone';
  readonly started: SnapshotStarted | SnapshotCopyStarted | null;
  readonly dataKey: WrappedDataKey | null;
  /** Of a copy that is incremental to an earlier one. */
  readonly previousCopy: SnapshotId | null;
  readonly grants: readonly CopyGrant[];
  /** In percent. */
  readonly progress: number;
  readonly deletionRequested: boolean;
  /** How long the Recycle Bin is to keep it once it is completed; null: it does not. */
  readonly retentionDays: number | null;
  /** When the Recycle Bin lets it go; null: it is not there. */
  readonly exitsAt: Instant | null;
  readonly lock: Lock | null;
  readonly tier: Tier;
  readonly fastRestores: FastRestores;
  readonly tags: Tags;
  /** By the account that set and sees them, of those it is shared with. */
  readonly viewerTags: Readonly<Partial<Record<AccountId, Tags>>>;
  readonly sharing: Sharing;
}

const NO_TAGS: Tags = {};

/** The key that its data is under, or is to be; null: it is not encrypted. */
export const keyArnOf = ({ started, dataKey }: SnapshotState): string | null =>
  (started?.type === 'SnapshotCopyStarted' ? started.keyArn : dataKey?.keyArn) ?? null;

export type SnapshotErrorCode =
  | 'DefaultKeySnapshotNotShareable'
  | 'ComplianceLockNotChangeable'
  | 'CoolOffNotForGovernance'
  | 'CoolOffOutOfRange'
  | 'CoolOffOver'
  | 'EncryptedSnapshotNotPublic'
  | 'FastRestoreAlreadyEnabled'
  | 'FastRestoreNotEnabled'
  | 'FastRestoreTooLarge'
  | 'LockDateOutOfRange'
  | 'LockDurationOutOfRange'
  | 'LockNotExtended'
  | 'PublicSharingBlocked'
  | 'RestoreDaysOutOfRange'
  | 'SnapshotAlreadyExists'
  | 'SnapshotIsLocked'
  | 'SnapshotNotArchived'
  | 'SnapshotNotCompleted'
  | 'SnapshotNotFound'
  | 'SnapshotNotInBin'
  | 'SnapshotNotInStandardTier'
  | 'SnapshotNotLocked'
  | 'SnapshotNotPending'
  | 'TagLimitExceeded';

/** DescribeSnapshots is asked every few seconds; a log of every percent would be longer than the snapshot's life is. */
const PROGRESS_STEP = 5;
const DAY_MS = 86_400_000;

const refuse = (code: SnapshotErrorCode, { snapshotId }: SnapshotCommand): never => {
  throw new DomainError(code, { snapshotId });
};

const initialState: SnapshotState = {
  status: 'absent',
  started: null,
  dataKey: null,
  previousCopy: null,
  grants: [],
  progress: 0,
  deletionRequested: false,
  retentionDays: null,
  exitsAt: null,
  lock: null,
  tier: initialTier,
  fastRestores: {},
  tags: NO_TAGS,
  viewerTags: {},
  sharing: initialSharing,
};

const PUBLIC: Sharing = { accounts: [], public: true };

/** Like a snapshot of a volume, of which there is none. */
const ofNoVolume = (event: AmazonSnapshotProvided): SnapshotStarted => ({
  ...event,
  type: 'SnapshotStarted',
  volumeId: 'vol-ffffffff' as VolumeId,
  dataKey: null,
  tags: NO_TAGS,
});

const withViewerTags = (state: SnapshotState, viewer: AccountId, change: (tags: Tags) => Tags): SnapshotState => ({
  ...state,
  viewerTags: { ...state.viewerTags, [viewer]: change(state.viewerTags[viewer] ?? NO_TAGS) },
});

const sizeOf = ({ started }: SnapshotState): number => started?.volumeSizeGiB ?? 0;

const evolve = (state: SnapshotState, event: SnapshotEvent): SnapshotState => {
  switch (event.type) {
    case 'SnapshotStarted':
      return { ...state, status: 'pending', started: event, dataKey: event.dataKey, tags: event.tags };
    case 'SnapshotCopyStarted':
      return { ...state, status: 'pending', started: event, tags: event.tags };
    case 'AmazonSnapshotProvided':
      return { ...state, status: 'completed', started: ofNoVolume(event), progress: 100, sharing: PUBLIC };
    case 'PreviousCopyChosen':
      return { ...state, previousCopy: event.previousCopy };
    case 'CopyDataKeyObtained':
      return { ...state, dataKey: event.dataKey, previousCopy: event.previousCopy ?? state.previousCopy };
    case 'CopyGrantCreated':
      return { ...state, grants: [...state.grants, event.grant] };
    case 'SnapshotProgressed':
      return { ...state, progress: event.progress };
    case 'SnapshotCompleted':
      return { ...state, status: 'completed', progress: 100 };
    case 'SnapshotFailed':
      return { ...state, status: 'error' };
    case 'SnapshotDeletionRequested':
      return { ...state, deletionRequested: true, retentionDays: event.retentionDays ?? null };
    case 'SnapshotRecycled':
      return { ...state, status: 'recycled', deletionRequested: false, exitsAt: event.exitsAt };
    case 'SnapshotRestoredFromBin':
      return { ...state, status: 'completed', exitsAt: null };
    case 'SnapshotLocked':
    case 'SnapshotUnlocked':
    case 'SnapshotLockBegan':
      return { ...state, lock: withLock(state.lock, event) };
    case 'FastRestoreEnabled':
    case 'FastRestoreDisabled':
    case 'FastRestoreUsed':
      return { ...state, fastRestores: withFastRestore(state.fastRestores, event, sizeOf(state)) };
    case 'SnapshotDeletionStarted':
      return { ...state, status: 'deleting' };
    case 'SnapshotDeleted':
      return { ...state, status: 'gone' };
    case 'SnapshotTagged':
      return { ...state, tags: withTags(state.tags, event.tags) };
    case 'SnapshotUntagged':
      return { ...state, tags: withoutTags(state.tags, event.keys) };
    case 'SnapshotTaggedByViewer':
      return withViewerTags(state, event.viewer, (tags) => withTags(tags, event.tags));
    case 'SnapshotUntaggedByViewer':
      return withViewerTags(state, event.viewer, (tags) => withoutTags(tags, event.keys));
    case 'SnapshotShared':
    case 'SnapshotUnshared':
      return { ...state, sharing: withSharing(state.sharing, event) };
    default:
      return { ...state, tier: withTier(state.tier, event) };
  }
};

type CommandOf<Type extends SnapshotCommand['type']> = Extract<SnapshotCommand, { type: Type }>;
type Decision = readonly SnapshotEvent[];

const start = (command: CommandOf<'CreateSnapshot'>, { status }: SnapshotState): Decision => {
  const { snapshotId, ownerId, region, volumeId, volumeSizeGiB, dataKey, description, tags, direct, set, at } = command;
  if (status !== 'absent') return refuse('SnapshotAlreadyExists', command);
  const volume = { snapshotId, ownerId, region, volumeId, volumeSizeGiB, dataKey };
  const how = { ...(direct === undefined ? {} : { direct }), ...(set === undefined ? {} : { set }) };
  return [{ type: 'SnapshotStarted', ...volume, description, tags, ...how, at }];
};

const startCopy = (command: CommandOf<'CopySnapshot'>, { status }: SnapshotState): Decision => {
  const { snapshotId, ownerId, region, source, volumeSizeGiB, keyArn, description, tags, at } = command;
  if (status !== 'absent') return refuse('SnapshotAlreadyExists', command);
  return [
    { type: 'SnapshotCopyStarted', snapshotId, ownerId, region, source, volumeSizeGiB, keyArn, description, tags, at },
  ];
};

const recordKeys = (
  command: CommandOf<'ChoosePreviousCopy' | 'RecordDataKey' | 'RecordGrant'>,
  state: SnapshotState,
): Decision => {
  const { snapshotId, at } = command;
  if (command.type === 'RecordGrant') {
    const { grant } = command;
    if (state.grants.some(({ grantId }) => grantId === grant.grantId)) return [];
    if (state.status !== 'pending') return refuse('SnapshotNotPending', command);
    return [{ type: 'CopyGrantCreated', snapshotId, grant, at }];
  }
  // A second data key must not replace one that blocks may already be under.
  if (state.status !== 'pending' || state.dataKey !== null) return refuse('SnapshotNotPending', command);
  if (command.type === 'RecordDataKey')
    return [{ type: 'CopyDataKeyObtained', snapshotId, dataKey: command.dataKey, at }];
  if (state.previousCopy !== null) return refuse('SnapshotNotPending', command);
  return [{ type: 'PreviousCopyChosen', snapshotId, previousCopy: command.previousCopy, at }];
};

/** Into the Recycle Bin where a rule keeps it, else away. Nobody restores from it any faster. */
const depart = (
  { snapshotId, at }: { snapshotId: SnapshotId; at: Instant },
  { fastRestores }: SnapshotState,
  retentionDays: number | null,
): Decision => {
  const ends = endFastRestores(snapshotId, fastRestores, at, 'lost');
  if (retentionDays === null) return [...ends, { type: 'SnapshotDeletionStarted', snapshotId, at }];
  const exitsAt = new Date(Date.parse(at) + retentionDays * DAY_MS).toISOString() as Instant;
  return [...ends, { type: 'SnapshotRecycled', snapshotId, exitsAt, at }];
};

/** Whether a pending snapshot's owner has deleted it: then its end is the beginning of its removal. What failed is not kept. */
const end = (ended: SnapshotEvent, state: SnapshotState): Decision => {
  if (!state.deletionRequested) return [ended];
  return [ended, ...depart(ended, state, ended.type === 'SnapshotCompleted' ? state.retentionDays : null)];
};

const advance = (
  command: CommandOf<'RecordProgress' | 'CompleteSnapshot' | 'FailSnapshot'>,
  state: SnapshotState,
): Decision => {
  const { snapshotId, at } = command;
  if (state.status === 'absent') return refuse('SnapshotNotFound', command);
  if (state.status !== 'pending') return []; // Reported again after its end.
  switch (command.type) {
    case 'RecordProgress': {
      const progress = Math.min(99, Math.floor(command.progress));
      if (progress < state.progress + PROGRESS_STEP) return [];
      return [{ type: 'SnapshotProgressed', snapshotId, progress, at }];
    }
    case 'CompleteSnapshot':
      return [
        ...end({ type: 'SnapshotCompleted', snapshotId, at }, state),
        ...(state.deletionRequested ? [] : beginLock(snapshotId, state.lock, at)),
      ];
    case 'FailSnapshot': {
      const { message, cause } = command;
      return end({ type: 'SnapshotFailed', snapshotId, message, cause, at }, state);
    }
    default:
      return assertNever(command);
  }
};

const remove = (command: CommandOf<'DeleteSnapshot'>, state: SnapshotState): Decision => {
  const { snapshotId, retentionDays = null, at } = command;
  if (!isThere(state)) return refuse('SnapshotNotFound', command);
  if (isLocked(state.lock, at)) return refuse('SnapshotIsLocked', command);
  if (state.status !== 'pending') return depart(command, state, state.status === 'completed' ? retentionDays : null);
  if (state.deletionRequested) return [];
  const retention = retentionDays === null ? {} : { retentionDays };
  return [{ type: 'SnapshotDeletionRequested', snapshotId, ...retention, at }];
};

const leaveBin = (command: CommandOf<'RestoreFromBin' | 'LeaveBin'>, { status, exitsAt }: SnapshotState): Decision => {
  const { snapshotId, at } = command;
  const isOver = exitsAt !== null && exitsAt <= at;
  if (command.type === 'LeaveBin')
    return status === 'recycled' && isOver ? [{ type: 'SnapshotDeletionStarted', snapshotId, at }] : [];
  if (status !== 'recycled' || isOver) return refuse('SnapshotNotInBin', command);
  return [{ type: 'SnapshotRestoredFromBin', snapshotId, at }];
};

const changeTier = (command: CommandOf<TierCommand['type']>, state: SnapshotState): Decision => {
  const { type, snapshotId, at } = command;
  if (type === 'ArchiveSnapshot' || type === 'RestoreTier') {
    if (!isThere(state)) return refuse('SnapshotNotFound', command);
    if (state.status !== 'completed') return refuse('SnapshotNotCompleted', command);
  }
  // What is gone meanwhile is in no tier.
  if (state.status !== 'completed' && state.status !== 'recycled') return [];
  const events = decideTier(command, state.tier);
  const ends = type === 'ArchiveSnapshot' ? endFastRestores(snapshotId, state.fastRestores, at, 'archived') : [];
  return [...events, ...ends];
};

const lock = (command: CommandOf<LockCommand['type']>, state: SnapshotState): Decision => {
  if (!isThere(state)) return refuse('SnapshotNotFound', command);
  const canBeKept = state.status === 'completed' || (state.status === 'pending' && !state.deletionRequested);
  if (!canBeKept) return refuse('SnapshotNotCompleted', command);
  return decideLock(command, state.lock, state.status === 'completed');
};

const restoreFast = (command: CommandOf<FastRestoreCommand['type']>, state: SnapshotState): Decision => {
  if (command.type === 'EnableFastRestore') {
    if (!isThere(state)) return refuse('SnapshotNotFound', command);
    if (state.status !== 'completed') return refuse('SnapshotNotCompleted', command);
    if (!isInStandardTier(state.tier)) return refuse('SnapshotNotInStandardTier', command);
  }
  return decideFastRestore(command, state.fastRestores, sizeOf(state));
};

/** Accounts that may not use it any more restore no faster from it. */
const share = (
  command: CommandOf<'ShareSnapshot' | 'UnshareSnapshot' | 'ResetSharing'>,
  state: SnapshotState,
): Decision => {
  if (!isThere(state)) return refuse('SnapshotNotFound', command);
  if (command.type === 'ShareSnapshot' && !isInStandardTier(state.tier))
    return refuse('SnapshotNotInStandardTier', command);
  const changes = decideSharing(command, state.sharing, { encrypted: keyArnOf(state) !== null });
  const { accounts, public: isPublic } = changes.reduce(withSharing, state.sharing);
  const isLost = (account: AccountId) => account !== state.started?.ownerId && !isPublic && !accounts.includes(account);
  return [...changes, ...endFastRestores(command.snapshotId, state.fastRestores, command.at, 'lost', isLost)];
};

const tag = (command: CommandOf<'TagSnapshot' | 'UntagSnapshot'>, state: SnapshotState): Decision => {
  const { snapshotId, viewer, at } = command;
  // In the Recycle Bin it is its owner's alone.
  if (!isThere(state) && !(state.status === 'recycled' && viewer === undefined))
    return refuse('SnapshotNotFound', command);
  const tags = viewer === undefined ? state.tags : (state.viewerTags[viewer] ?? NO_TAGS);
  if (command.type === 'UntagSnapshot') {
    const keys = removedKeys(tags, command.removal);
    if (keys.length === 0) return [];
    if (viewer !== undefined) return [{ type: 'SnapshotUntaggedByViewer', snapshotId, viewer, keys, at }];
    return [{ type: 'SnapshotUntagged', snapshotId, keys, at }];
  }
  const added = command.tags;
  if (exceedsTagLimit(withTags(tags, added))) return refuse('TagLimitExceeded', command);
  if (Object.entries(added).every(([key, value]) => tags[key] === value)) return [];
  if (viewer !== undefined) return [{ type: 'SnapshotTaggedByViewer', snapshotId, viewer, tags: added, at }];
  return [{ type: 'SnapshotTagged', snapshotId, tags: added, at }];
};

const isThere = ({ status }: SnapshotState): boolean =>
  status === 'pending' || status === 'completed' || status === 'error';

const decide = (command: SnapshotCommand, state: SnapshotState): Decision => {
  switch (command.type) {
    case 'CreateSnapshot':
      return start(command, state);
    case 'CopySnapshot':
      return startCopy(command, state);
    case 'ProvideAmazonSnapshot': {
      const { snapshotId, ownerId, region, volumeSizeGiB, description, at } = command;
      if (state.status !== 'absent') return []; // By another process, or at an earlier start.
      return [{ type: 'AmazonSnapshotProvided', snapshotId, ownerId, region, volumeSizeGiB, description, at }];
    }
    case 'ChoosePreviousCopy':
    case 'RecordDataKey':
    case 'RecordGrant':
      return recordKeys(command, state);
    case 'RecordProgress':
    case 'CompleteSnapshot':
    case 'FailSnapshot':
      return advance(command, state);
    case 'DeleteSnapshot':
      return remove(command, state);
    case 'CompleteDeletion': {
      const { snapshotId, at } = command;
      return state.status === 'deleting' ? [{ type: 'SnapshotDeleted', snapshotId, at }] : [];
    }
    case 'TagSnapshot':
    case 'UntagSnapshot':
      return tag(command, state);
    case 'ShareSnapshot':
    case 'UnshareSnapshot':
    case 'ResetSharing':
      return share(command, state);
    case 'RestoreFromBin':
    case 'LeaveBin':
      return leaveBin(command, state);
    case 'LockSnapshot':
    case 'UnlockSnapshot':
      return lock(command, state);
    case 'EnableFastRestore':
    case 'DisableFastRestore':
    case 'UseFastRestore':
      return restoreFast(command, state);
    default:
      return changeTier(command, state);
  }
};

export const snapshotDecider: Decider<SnapshotCommand, SnapshotEvent, SnapshotState> = { initialState, evolve, decide };
