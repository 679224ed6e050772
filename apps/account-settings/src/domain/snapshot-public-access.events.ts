import type { Instant } from '@holdfast/contracts';

/** What an account blocks: new public snapshots only, or all of them, those that are public already included. */
export type BlockMode = 'block-new-sharing' | 'block-all-sharing';

/** Block public access for snapshots, of one account in one Region; stream `snapshot-public-access-<account>-<Region>`. */
export type SnapshotPublicAccessEvent =
  | { type: 'SnapshotPublicAccessBlocked'; mode: BlockMode; at: Instant }
  | { type: 'SnapshotPublicAccessUnblocked'; at: Instant };
