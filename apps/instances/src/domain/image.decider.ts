import type { AccountId, ImageId, Instant } from '@holdfast/contracts';
import { assertNever, type Decider, DomainError } from '@holdfast/decider';
import { exceedsTagLimit, removedKeys, type TagRemoval, type Tags, withoutTags, withTags } from '@holdfast/ec2';
import {
  type BinCommand,
  decideLife,
  evolveLife,
  type ImageLife,
  leaveBin,
  type LifecycleCommand,
  type LifecycleErrorCode,
  NO_LIFE,
} from './image-lifecycle.ts';
import type {
  AmazonImageProvided,
  ImageCopyStarted,
  ImageCreationStarted,
  ImageEvent,
  ImageRegistered,
  ImageStarted,
  LaunchPermissionChange,
} from './image.events.ts';

interface Command<Type extends string> {
  type: Type;
  imageId: ImageId;
  at: Instant;
}

export type StartImage =
  | (Omit<ImageRegistered, 'type'> & { type: 'RegisterImage' })
  | (Omit<ImageCreationStarted, 'type'> & { type: 'CreateImage' })
  | (Omit<ImageCopyStarted, 'type'> & { type: 'CopyImage' })
  | (Omit<AmazonImageProvided, 'type'> & { type: 'ProvideAmazonImage' });

export interface ShareImage extends Command<'ShareImage'> {
  accounts: readonly AccountId[];
  public: boolean;
  /** Whether one of its snapshots is under a key that AWS manages: no other account can be let use it. */
  keyManagedByAws: boolean;
  /** Whether the account blocks public access to its images in the Region. */
  publicSharingBlocked: boolean;
}

export type ImageCommand =
  | StartImage
  | Command<'CompleteImage'>
  | (Command<'FailImage'> & { message: string; cause: string })
  | LifecycleCommand
  | BinCommand
  | (Command<'ChangeDescription'> & { description: string })
  | ShareImage
  | (Command<'UnshareImage'> & { accounts: readonly AccountId[]; public: boolean })
  /** Nobody but the owner may launch from it any more. */
  | Command<'ResetLaunchPermission'>
  | (Command<'TagImage'> & { accountId: AccountId; tags: Tags })
  | (Command<'UntagImage'> & { accountId: AccountId; removal: TagRemoval });

/** What the next decision needs, and what work that was begun needs to be finished. */
export interface ImageState extends ImageLife {
  readonly started: ImageStarted | null;
  readonly description: string;
  readonly launchPermission: { readonly accounts: readonly AccountId[]; readonly public: boolean };
  /** By the account that set and sees them. */
  readonly tags: Readonly<Partial<Record<AccountId, Tags>>>;
}

export type ImageErrorCode =
  | 'DefaultKeyImageNotShareable'
  | 'EncryptedImageNotPublic'
  | 'ImageAlreadyExists'
  | 'ImageIsDisabled'
  | 'ImageNotFound'
  | 'PublicSharingBlocked'
  | 'TagLimitExceeded'
  | LifecycleErrorCode;

const NO_TAGS: Tags = {};

const refuse = (code: ImageErrorCode, { imageId }: ImageCommand): never => {
  throw new DomainError(code, { imageId });
};

/** The keys that the image's snapshots are under. */
export const keyArnsOf = ({ started }: ImageState): string[] => [
  ...new Set((started?.devices ?? []).flatMap(({ keyArn }) => (keyArn === undefined ? [] : [keyArn]))),
];

const begun = (state: ImageState, event: ImageStarted): ImageState => ({
  ...state,
  status: event.type === 'ImageRegistered' || event.type === 'AmazonImageProvided' ? 'available' : 'pending',
  started: event,
  description: event.description,
  launchPermission: { accounts: [], public: event.type === 'AmazonImageProvided' },
  tags: { [event.ownerId]: event.tags },
});

const changeTags = (state: ImageState, accountId: AccountId, change: (tags: Tags) => Tags): ImageState => ({
  ...state,
  tags: { ...state.tags, [accountId]: change(state.tags[accountId] ?? NO_TAGS) },
});

type Change = LaunchPermissionChange<'ImageShared'> | LaunchPermissionChange<'ImageUnshared'>;

const permitted = (state: ImageState, change: Change): ImageState => {
  const { accounts, public: isPublic } = state.launchPermission;
  const others = accounts.filter((account) => !change.accounts.includes(account));
  const launchPermission =
    change.type === 'ImageShared'
      ? { accounts: [...others, ...change.accounts], public: isPublic || change.public }
      : { accounts: others, public: isPublic && !change.public };
  return { ...state, launchPermission };
};

const evolve = (state: ImageState, event: ImageEvent): ImageState => {
  switch (event.type) {
    case 'ImageRegistered':
    case 'ImageCreationStarted':
    case 'ImageCopyStarted':
    case 'AmazonImageProvided':
      return begun(state, event);
    case 'ImageCompleted':
      return { ...state, status: 'available' };
    case 'ImageFailed':
      return { ...state, status: 'failed' };
    case 'ImageDisabled':
      return { ...state, ...evolveLife(event, state), launchPermission: { accounts: [], public: false } };
    case 'ImageDeprecationSet':
    case 'ImageDeprecationCancelled':
    case 'ImageEnabled':
    case 'ImageProtected':
    case 'ImageUnprotected':
    case 'ImageRecycled':
    case 'ImageRestoredFromBin':
    case 'ImageDeregistered':
      return { ...state, ...evolveLife(event, state) };
    case 'ImageDescriptionChanged':
      return { ...state, description: event.description };
    case 'ImageShared':
    case 'ImageUnshared':
      return permitted(state, event);
    case 'ImageTagged':
      return changeTags(state, event.accountId, (tags) => withTags(tags, event.tags));
    case 'ImageUntagged':
      return changeTags(state, event.accountId, (tags) => withoutTags(tags, event.keys));
    default:
      return assertNever(event);
  }
};

const start = (command: StartImage): ImageEvent => {
  const { imageId, ownerId, region, name, description, rootDeviceName, devices, tags, at } = command;
  const { architecture, virtualizationType, bootMode, tpmSupport, imdsSupport, sriovNetSupport, enaSupport } = command;
  const basics = {
    ...{ imageId, ownerId, region, name, description, architecture, virtualizationType },
    ...{ bootMode, tpmSupport, imdsSupport, sriovNetSupport, enaSupport, rootDeviceName, devices, tags, at },
  };
  switch (command.type) {
    case 'RegisterImage':
      return { type: 'ImageRegistered', ...basics };
    case 'ProvideAmazonImage':
      return { type: 'AmazonImageProvided', ...basics };
    case 'CreateImage': {
      const { instanceId, snapshots, snapshotTags } = command;
      return { type: 'ImageCreationStarted', ...basics, instanceId, snapshots, snapshotTags };
    }
    case 'CopyImage': {
      const { source, snapshots, snapshotTags } = command;
      return { type: 'ImageCopyStarted', ...basics, source, snapshots, snapshotTags };
    }
    default:
      return assertNever(command);
  }
};

type CommandOf<Type extends ImageCommand['type']> = Extract<ImageCommand, { type: Type }>;
type Decision = readonly ImageEvent[];

/**
 * Who may launch from it is changed as far as it is a change. An image of encrypted snapshots is never public, and one under a
 * key that AWS manages is never shared, since nobody could be let use the key.
 * @see Amazon EC2 user guide, "Use encryption with EBS-backed AMIs"
 */
const permit = (
  command: CommandOf<'ShareImage' | 'UnshareImage' | 'ResetLaunchPermission'>,
  state: ImageState,
): Decision => {
  const { imageId, at } = command;
  const now = state.launchPermission;
  if (command.type === 'ResetLaunchPermission')
    return now.public || now.accounts.length > 0 ? [{ type: 'ImageUnshared', imageId, ...now, at }] : [];
  if (command.type === 'UnshareImage') {
    const accounts = now.accounts.filter((account) => command.accounts.includes(account));
    const ends = command.public && now.public;
    return ends || accounts.length > 0 ? [{ type: 'ImageUnshared', imageId, accounts, public: ends, at }] : [];
  }
  if (state.status === 'disabled') return refuse('ImageIsDisabled', command);
  const encrypted = keyArnsOf(state).length > 0;
  if (encrypted && command.public) return refuse('EncryptedImageNotPublic', command);
  if (encrypted && command.keyManagedByAws) return refuse('DefaultKeyImageNotShareable', command);
  if (command.public && command.publicSharingBlocked) return refuse('PublicSharingBlocked', command);
  const accounts = [...new Set(command.accounts)].filter((account) => !now.accounts.includes(account));
  const begins = command.public && !now.public;
  return begins || accounts.length > 0 ? [{ type: 'ImageShared', imageId, accounts, public: begins, at }] : [];
};

const tag = (command: CommandOf<'TagImage' | 'UntagImage'>, state: ImageState): Decision => {
  const { imageId, accountId, at } = command;
  const tags = state.tags[accountId] ?? NO_TAGS;
  if (command.type === 'UntagImage') {
    const keys = removedKeys(tags, command.removal);
    return keys.length === 0 ? [] : [{ type: 'ImageUntagged', imageId, accountId, keys, at }];
  }
  const added = command.tags;
  if (exceedsTagLimit(withTags(tags, added))) return refuse('TagLimitExceeded', command);
  const known = Object.entries(added).every(([key, value]) => tags[key] === value);
  return known ? [] : [{ type: 'ImageTagged', imageId, accountId, tags: added, at }];
};

const decide = (command: ImageCommand, state: ImageState): Decision => {
  const { imageId, at } = command;
  const { status } = state;
  switch (command.type) {
    case 'ProvideAmazonImage':
      return status === 'absent' ? [start(command)] : [];
    case 'RegisterImage':
    case 'CreateImage':
    case 'CopyImage':
      return status === 'absent' ? [start(command)] : refuse('ImageAlreadyExists', command);
    case 'CompleteImage':
      return status === 'pending' ? [{ type: 'ImageCompleted', imageId, at }] : [];
    case 'FailImage': {
      const { message, cause } = command;
      return status === 'pending' ? [{ type: 'ImageFailed', imageId, message, cause, at }] : [];
    }
    case 'RestoreFromBin':
    case 'LeaveBin':
      return leaveBin(command, state);
    case 'TagImage':
    case 'UntagImage':
      // In the Recycle Bin it is its owner's alone.
      if (status === 'recycled' && command.accountId === state.started?.ownerId) return tag(command, state);
      return change(command, state);
    default:
      return change(command, state);
  }
};

type Making = StartImage | BinCommand | { type: 'CompleteImage' | 'FailImage' };

const change = (command: Exclude<ImageCommand, Making>, state: ImageState): Decision => {
  const { imageId, at } = command;
  const { status, started, launchPermission } = state;
  if (started === null || status === 'recycled' || status === 'deregistered') return refuse('ImageNotFound', command);
  switch (command.type) {
    case 'SetDeprecation':
    case 'CancelDeprecation':
    case 'DisableImage':
    case 'EnableImage':
    case 'ProtectImage':
    case 'UnprotectImage':
    case 'DeregisterImage':
      return decideLife(command, state, { createdAt: started.at, isPublic: launchPermission.public });
    case 'ChangeDescription': {
      const { description } = command;
      return description === state.description ? [] : [{ type: 'ImageDescriptionChanged', imageId, description, at }];
    }
    case 'ShareImage':
    case 'UnshareImage':
    case 'ResetLaunchPermission':
      return permit(command, state);
    case 'TagImage':
    case 'UntagImage':
      return tag(command, state);
    default:
      return assertNever(command);
  }
};

export const imageDecider: Decider<ImageCommand, ImageEvent, ImageState> = {
  initialState: {
    ...NO_LIFE,
    started: null,
    description: '',
    launchPermission: { accounts: [], public: false },
    tags: {},
  },
  evolve,
  decide,
};
