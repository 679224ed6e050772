import { type DirectBlockStore, FolderBlockStore, type FolderBlockStoreOptions } from './block-store.ts';
import type { StoreLayout } from './layout.ts';
import type { ObjectStore } from './object-store.ts';
import { RetryingObjects } from './retrying-objects.ts';
import { S3Objects, type S3Settings } from './s3-objects.ts';
import { SegmentBlockStore } from './segment-block-store.ts';

export interface BlockStoreOptions extends FolderBlockStoreOptions {
  /** How long requests to an object store are repeated, in milliseconds: less than usual for who waits for it anyway. */
  readonly repeatMs?: number;
}

/** @returns undefined for null: blocks are in a folder. */
export const openObjects = (s3: S3Settings | null, repeatMs?: number): ObjectStore | undefined =>
  s3 === null ? undefined : new RetryingObjects(new S3Objects(s3), repeatMs === undefined ? {} : { totalMs: repeatMs });

/** The blocks of a host: in its folder, or in the object store with the index in that folder. */
export const openBlockStore = (
  layout: StoreLayout,
  s3: S3Settings | null,
  options: BlockStoreOptions = {},
): DirectBlockStore => {
  const objects = openObjects(s3, options.repeatMs);
  return objects === undefined
    ? new FolderBlockStore(layout.blocks, options)
    : new SegmentBlockStore(layout.blocks, objects, options);
};
