import type { AccountId, Caller, ImageId, Instant, InstanceId, Region, SnapshotId } from '@holdfast/contracts';
import { AMAZON_ACCOUNT_ID, type Filter, type Tags } from '@holdfast/ec2';
import type { ClientToken } from '@holdfast/event-store';
import type { ImageCommand, ImageState } from '../domain/image.decider.ts';
import type { ImageDevice, ImageTraits } from '../domain/image.events.ts';
import { type Protection, publicDeprecation } from '../domain/image-lifecycle.ts';

/** Streams of images. */
export interface ImageStreams {
  /** @throws DomainError ImageErrorCode | ImageNameTaken; ClientTokenUsed, and appends nothing then. */
  handle(command: ImageCommand, caller: Caller, clientToken?: ClientToken): Promise<void>;
  load(imageId: ImageId): Promise<ImageState>;
  findClientToken(scope: string, token: string): Promise<ClientToken | null>;
}

/** An image as DescribeImages reads it. */
export interface ImageRow {
  imageId: ImageId;
  ownerId: AccountId;
  region: Region;
  /** Its place in the order of pages. */
  position: string;
  name: string;
  description: string;
  state: 'pending' | 'available' | 'disabled' | 'failed' | 'recycled' | 'deregistered';
  stateMessage: string | null;
  /** ISO-8601. */
  creationDate: string;
  rootDeviceName: string;
  devices: ImageDevice[];
  traits: ImageTraits;
  sourceInstanceId: InstanceId | null;
  sourceImageId: ImageId | null;
  sourceImageRegion: Region | null;
  sharedWith: AccountId[];
  isPublic: boolean;
  /** As its owner set it. */
  deprecatesAt: Instant | null;
  protection: Protection;
  protectedUntil: Instant | null;
  /** Those that the viewer sees. */
  tags: Tags;
}

/** Who looks, and where: at their own images, those shared with them, and public ones. */
export interface ImageViewer {
  readonly accountId: AccountId;
  readonly region: Region;
}

export interface ImageQuery {
  readonly filters?: readonly Filter[];
  /** Empty: all. */
  readonly imageIds: readonly string[];
  /** Of these accounts only; absent: of anybody. */
  readonly ownerIds?: readonly string[];
  /** `self`, `all`, or accounts; absent: by anybody. */
  readonly executableUsers?: readonly string[];
  readonly now: Instant;
  /** Also those of others that are deprecated. */
  readonly includeDeprecated: boolean;
  readonly includeDisabled: boolean;
  /** Only images after this position. */
  readonly after?: string;
  readonly limit: number;
}

/** An image in the Recycle Bin. */
export interface RecycledImage {
  readonly imageId: ImageId;
  readonly position: string;
  readonly name: string;
  readonly description: string;
  readonly recycledAt: Instant;
  readonly exitsAt: Instant;
}

export interface DueImage {
  readonly imageId: ImageId;
  readonly ownerId: AccountId;
  readonly region: Region;
}

export interface ImageTable {
  /** @throws AwsError InvalidParameterValue | FilterLimitExceeded */
  find(query: ImageQuery, viewer: ImageViewer): Promise<ImageRow[]>;
  /** Whoever may see it, and deregistered ones and those in the Recycle Bin as well; null when there is none of that id in the Region. */
  byId(imageId: string, viewer: ImageViewer): Promise<ImageRow | null>;
  /** The viewer's own image of that name. */
  named(name: string, viewer: ImageViewer): Promise<ImageId | null>;
  /** Those of any account that are made of it and did not fail. */
  ofSnapshot(snapshotId: SnapshotId, exceptDisabled?: boolean): Promise<ImageId[]>;
  /** The viewer's own in the Recycle Bin whose time there is not over, in order of creation. */
  recycled(
    query: { imageIds: readonly string[]; now: Instant; after?: string; limit: number },
    viewer: ImageViewer,
  ): Promise<RecycledImage[]>;
  /** Those of any account whose time in the Recycle Bin is over. */
  dueToLeaveBin(now: Instant, limit: number): Promise<DueImage[]>;
  tags(
    filters: readonly Filter[] | undefined,
    viewer: ImageViewer,
  ): Promise<{ imageId: string; key: string; value: string }[]>;
}

/** Whether somebody other than its owner may launch from it. */
export const isLaunchableBy = (image: ImageRow, accountId: string): boolean =>
  image.ownerId === accountId || image.isPublic || image.sharedWith.some((account) => account === accountId);

/** Whether there is no such image any more as far as all but the Recycle Bin goes. */
export const isGone = ({ state }: ImageRow): boolean => state === 'deregistered' || state === 'recycled';

/** When others stop to be shown it: as its owner said, and a public one of theirs after two years; null: never. */
export const deprecationTime = ({ deprecatesAt, isPublic, ownerId, creationDate }: ImageRow): Instant | null => {
  if (!isPublic || ownerId === AMAZON_ACCOUNT_ID) return deprecatesAt;
  const latest = publicDeprecation(creationDate);
  return deprecatesAt !== null && deprecatesAt < latest ? deprecatesAt : latest;
};

/** In the words in which EC2's clients look for it: a protection that was turned off may still have its cooldown. */
export const protectionText = (
  { protection, protectedUntil }: Pick<ImageRow, 'protection' | 'protectedUntil'>,
  now: Instant,
): string =>
  protection === 'disabled' && protectedUntil !== null && now < protectedUntil
    ? `disabled after ${protectedUntil}`
    : protection;
