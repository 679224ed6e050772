import type { AccountId, VolumeId, WrappedDataKey } from '@holdfast/contracts';
import { assertNever, type Decider, DomainError } from '@holdfast/decider';
import { exceedsTagLimit, removedKeys, type Tags, withoutTags, withTags } from '@holdfast/ec2';
import type { SnapshotCommand } from './snapshot.commands.ts';
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
  readonly status: 'absent' | 'pending' | 'completed' | 'error' | 'deleting' | 'gone';
  readonly started: SnapshotStarted | SnapshotCopyStarted | null;
  readonly dataKey: WrappedDataKey | null;
  readonly grants: readonly CopyGrant[];
  /** In percent. */
  readonly progress: number;
  readonly deletionRequested: boolean;
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
  | 'EncryptedSnapshotNotPublic'
  | 'PublicSharingBlocked'
  | 'SnapshotAlreadyExists'
  | 'SnapshotNotFound'
  | 'SnapshotNotPending'
  | 'TagLimitExceeded';

/** DescribeSnapshots is asked every few seconds; a log of every percent would be longer than the snapshot's life is. */
const PROGRESS_STEP = 5;

const refuse = (code: SnapshotErrorCode, { snapshotId }: SnapshotCommand): never => {
  throw new DomainError(code, { snapshotId });
};

const initialState: SnapshotState = {
  status: 'absent',
  started: null,
  dataKey: null,
  grants: [],
  progress: 0,
  deletionRequested: false,
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

const evolve = (state: SnapshotState, event: SnapshotEvent): SnapshotState => {
  switch (event.type) {
    case 'SnapshotStarted':
      return { ...state, status: 'pending', started: event, dataKey: event.dataKey, tags: event.tags };
    case 'SnapshotCopyStarted':
      return { ...state, status: 'pending', started: event, tags: event.tags };
    case 'AmazonSnapshotProvided':
      return { ...state, status: 'completed', started: ofNoVolume(event), progress: 100, sharing: PUBLIC };
    case 'CopyDataKeyObtained':
      return { ...state, dataKey: event.dataKey };
    case 'CopyGrantCreated':
      return { ...state, grants: [...state.grants, event.grant] };
    case 'SnapshotProgressed':
      return { ...state, progress: event.progress };
    case 'SnapshotCompleted':
      return { ...state, status: 'completed', progress: 100 };
    case 'SnapshotFailed':
      return { ...state, status: 'error' };
    case 'SnapshotDeletionRequested':
      return { ...state, deletionRequested: true };
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
      return assertNever(event);
  }
};

type CommandOf<Type extends SnapshotCommand['type']> = Extract<SnapshotCommand, { type: Type }>;
type Decision = readonly SnapshotEvent[];

const start = (command: CommandOf<'CreateSnapshot'>, { status }: SnapshotState): Decision => {
  const { snapshotId, ownerId, region, volumeId, volumeSizeGiB, dataKey, description, tags, direct, at } = command;
  if (status !== 'absent') return refuse('SnapshotAlreadyExists', command);
  const volume = { snapshotId, ownerId, region, volumeId, volumeSizeGiB, dataKey };
  return [{ type: 'SnapshotStarted', ...volume, description, tags, ...(direct === undefined ? {} : { direct }), at }];
};

const startCopy = (command: CommandOf<'CopySnapshot'>, { status }: SnapshotState): Decision => {
  const { snapshotId, ownerId, region, source, volumeSizeGiB, keyArn, description, tags, at } = command;
  if (status !== 'absent') return refuse('SnapshotAlreadyExists', command);
  return [
    { type: 'SnapshotCopyStarted', snapshotId, ownerId, region, source, volumeSizeGiB, keyArn, description, tags, at },
  ];
};

const recordKeys = (command: CommandOf<'RecordDataKey' | 'RecordGrant'>, state: SnapshotState): Decision => {
  const { snapshotId, at } = command;
  if (command.type === 'RecordGrant') {
    const { grant } = command;
    if (state.grants.some(({ grantId }) => grantId === grant.grantId)) return [];
    if (state.status !== 'pending') return refuse('SnapshotNotPending', command);
    return [{ type: 'CopyGrantCreated', snapshotId, grant, at }];
  }
  // A second data key must not replace one that blocks may already be under.
  if (state.status !== 'pending' || state.dataKey !== null) return refuse('SnapshotNotPending', command);
  return [{ type: 'CopyDataKeyObtained', snapshotId, dataKey: command.dataKey, at }];
};

/** Whether a pending snapshot's owner has deleted it: then its end is the beginning of its removal. */
const end = (ended: SnapshotEvent, { deletionRequested }: SnapshotState): Decision =>
  deletionRequested
    ? [ended, { type: 'SnapshotDeletionStarted', snapshotId: ended.snapshotId, at: ended.at }]
    : [ended];

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
      return end({ type: 'SnapshotCompleted', snapshotId, at }, state);
    case 'FailSnapshot': {
      const { message, cause } = command;
      return end({ type: 'SnapshotFailed', snapshotId, message, cause, at }, state);
    }
    default:
      return assertNever(command);
  }
};

const remove = (command: CommandOf<'DeleteSnapshot'>, { status, deletionRequested }: SnapshotState): Decision => {
  const { snapshotId, at } = command;
  if (status === 'absent' || status === 'deleting' || status === 'gone') return refuse('SnapshotNotFound', command);
  if (status !== 'pending') return [{ type: 'SnapshotDeletionStarted', snapshotId, at }];
  return deletionRequested ? [] : [{ type: 'SnapshotDeletionRequested', snapshotId, at }];
};

const tag = (command: CommandOf<'TagSnapshot' | 'UntagSnapshot'>, state: SnapshotState): Decision => {
  const { snapshotId, viewer, at } = command;
  if (!isThere(state)) return refuse('SnapshotNotFound', command);
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
  status !== 'absent' && status !== 'deleting' && status !== 'gone';

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
      if (!isThere(state)) return refuse('SnapshotNotFound', command);
      return decideSharing(command, state.sharing, { encrypted: keyArnOf(state) !== null });
    default:
      return assertNever(command);
  }
};

export const snapshotDecider: Decider<SnapshotCommand, SnapshotEvent, SnapshotState> = { initialState, evolve, decide };
