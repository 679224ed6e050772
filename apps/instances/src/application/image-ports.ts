import type { AccountId, Caller, ImageId, InstanceId, Region, SnapshotId } from '@holdfast/contracts';
import type { Filter, Tags } from '@holdfast/ec2';
import type { ClientToken } from '@holdfast/event-store';
import type { ImageCommand, ImageState } from '../domain/image.decider.ts';
import type { ImageDevice, ImageTraits } from '../domain/image.events.ts';

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
  state: 'pending' | 'available' | 'failed' | 'deregistered';
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
  /** Only images after this position. */
  readonly after?: string;
  readonly limit: number;
}

export interface ImageTable {
  /** @throws AwsError InvalidParameterValue | FilterLimitExceeded */
  find(query: ImageQuery, viewer: ImageViewer): Promise<ImageRow[]>;
  /** Whoever may see it, and deregistered ones as well; null when there is none of that id in the Region. */
  byId(imageId: string, viewer: ImageViewer): Promise<ImageRow | null>;
  /** The viewer's own image of that name. */
  named(name: string, viewer: ImageViewer): Promise<ImageId | null>;
  /** Those of any account that are made of it and did not fail. */
  ofSnapshot(snapshotId: SnapshotId): Promise<ImageId[]>;
  tags(
    filters: readonly Filter[] | undefined,
    viewer: ImageViewer,
  ): Promise<{ imageId: string; key: string; value: string }[]>;
}

/** Whether somebody other than its owner may launch from it. */
export const isLaunchableBy = (image: ImageRow, accountId: string): boolean =>
  image.ownerId === accountId || image.isPublic || image.sharedWith.some((account) => account === accountId);
